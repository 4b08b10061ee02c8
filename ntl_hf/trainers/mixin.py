"""`NTLMixin`: the hooks of the Trainer that add the number loss. The work is done by the objects that it owns."""

import logging
from typing import Any

import torch
from torch import Tensor
from transformers.trainer_utils import EvalLoopOutput, default_compute_objective

from ..head.choice import HeadChoice
from ..losses.objective import COMPONENT_NAMES
from ..settings.arguments import resolve_ntl_config
from ..settings.config import NTLConfig
from ..tokens.number_vocab import NumberVocab
from .callback import NTLCallback
from .cards import RunRecord
from .checks import check_loss_func, check_parallelism, check_placed_digits, check_smoothing
from .first_batch import check_first_labels, check_training_labels
from .loss_side import HeadNeeds, LossSide
from .model_kind import check_language_model
from .model_modes import keep_differentiable
from .model_systems import check_model
from .saving import NTLSavingMixin
from .steps import StepMixin

logger = logging.getLogger(__name__)


class NTLMixin(NTLSavingMixin, StepMixin):
    """Adds the number loss to a `transformers` trainer that it is mixed into, before that class.

    Args:
        ntl_config: the settings; without it, those of the argument class, or the defaults.
        number_vocab: the number tokens; without it, they are found in the tokenizer.

    The other arguments are those of the stock trainer.

    Raises:
        ValueError: settings that disagree, no tokenizer, a vocabulary that does not fit the model, `nn.DataParallel`
            or DeepSpeed sequence parallelism; no language model, a model with a number head, or the number tokens of
            a Regression Transformer with a plain model.
        NoNumberTokensError: the tokenizer has no number tokens.
    """

    def __init__(
        self,
        *args: Any,
        ntl_config: NTLConfig | None = None,
        number_vocab: NumberVocab | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        check_parallelism(self)
        check_loss_func(self)
        check_model(self.model, self.processing_class)
        check_language_model(self.model)
        keep_differentiable(self.model)
        # Without this, the Trainer does not count the tokens of the step for models whose forward has no `**kwargs`,
        # and their gradient depends on the accumulation.
        self.model_accepts_loss_kwargs = True
        self._number_vocab = number_vocab
        self._settings_from_args = ntl_config is None
        self._use_settings(resolve_ntl_config(self.args, ntl_config))

    def _use_settings(self, config: NTLConfig) -> None:
        self.ntl_callback = self._find_or_add_callback()
        self.ntl_config = self.ntl_callback.resolve(config)
        check_smoothing(self)
        check_placed_digits(self.ntl_config, self.processing_class)
        self._loss_side = LossSide(self, self._number_vocab)
        self.objective = self._loss_side.objective
        self.ntl_callback.balance, self.ntl_callback.pictures = self._loss_side.balance, self._loss_side.plots
        logger.info("%s: %d number tokens, %s", type(self).__name__, len(self.objective.vocab), self.ntl_config)

    def _find_or_add_callback(self) -> NTLCallback:
        found = [callback for callback in self.callback_handler.callbacks if isinstance(callback, NTLCallback)]
        if not found:
            found = [NTLCallback()]
            super().add_callback(found[0])
        return found[-1]

    def add_callback(self, callback: Any) -> None:
        previous = getattr(self, "ntl_callback", None)
        super().add_callback(callback)
        if previous is None:
            return
        check_loss_func(self)
        if self._find_or_add_callback() is not previous:
            self.remove_callback(previous)
            self._use_settings(self.ntl_config)

    def _hp_search_setup(self, trial: Any) -> None:
        super()._hp_search_setup(trial)
        # A trial has an accelerator of its own, and may set `ntl_weight` and the like on the arguments.
        if trial is not None:
            self._use_settings(resolve_ntl_config(self.args, None) if self._settings_from_args else self.ntl_config)

    def hyperparameter_search(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("compute_objective") is None:
            kwargs["compute_objective"] = _objective_without_components
        return super().hyperparameter_search(*args, **kwargs)

    @property
    def ntl_weight(self) -> float:
        """The weight of the number loss: in training as scheduled, in evaluation in full, to stay comparable."""
        return self._loss_side.weight(self, self.model.training)

    # ---- Before training ----

    def check_training_data(self) -> None:
        """Raise `ValueError` for labels outside the vocabulary, or, unless the weight is 0, if none is a number.

        And for a `metric_for_best_model` that no evaluation can tell.

        `train` calls it; call it yourself to know before a long set-up.
        """
        check_training_labels(self)

    def _run_record(self) -> RunRecord:
        return RunRecord(self.ntl_config, self._loss_side.balance)

    def _begin_attempt(self, checkpoint: str | None, is_first: bool) -> None:
        super()._begin_attempt(checkpoint, is_first)
        self._loss_side.begin_training()
        if self._loss_side.balance is not None:
            self._loss_side.balance.load(checkpoint)
        if not is_first:
            # The memory may have ended in the middle of the checks of the first batch.
            self._loss_side.check_again()

    # ---- Counting, with the Trainer's own way of adding up labels of all batches and processes ----

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> Any:
        side = self._loss_side
        side.counted.clear()
        batches, num_items = super().get_batch_samples(epoch_iterator, num_batches, device)
        if batches:
            side.first.make("labels", check_first_labels, self, batches)
            side.training.targets.num_numbers = self._count(side.begin_step(self.model, batches))
        return batches, num_items

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> Any:
        # Of the labels that the loss has: the Trainer leaves the first out, also where virtual tokens predict it.
        if any(batch.get("labels") is None for batch in batch_samples):
            return super()._get_num_items_in_batch(batch_samples, device)
        return self._count(self._loss_side.count(self.model, batch_samples))

    def _count(self, labels: list[Tensor]) -> Any:
        # `shift_labels` are counted as they stand.
        batches = [{"labels": each, "shift_labels": each} for each in labels]
        return super()._get_num_items_in_batch(batches, self.args.device)

    # ---- The head ----

    @property
    def head_choice(self) -> HeadChoice:
        """Whether the loss is made from hidden states or from logits, and why."""
        return self._loss_side.head_choice

    def _head_needs(self) -> HeadNeeds:
        """What the loss of this trainer asks of the head."""
        raise NotImplementedError

    # ---- The log ----

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs:
            logs.update(self._loss_side.training.components.flush(self.accelerator.gather))
            logs["ntl_weight"] = self._loss_side.weight(self, is_training=True)
            if self._loss_side.balance is not None:
                logs.update(self._loss_side.balance.read())
        super().log(logs, start_time)

    def evaluation_loop(self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any) -> EvalLoopOutput:
        with self._loss_side.evaluating(metric_key_prefix) as components:
            output = super().evaluation_loop(*args, metric_key_prefix=metric_key_prefix, **kwargs)
        output.metrics.update(components)
        return output


def _objective_without_components(metrics: dict[str, float]) -> float:
    """The default of a hyperparameter search: `eval_loss`, or the sum of one's own metrics, as without the NTL's."""
    return default_compute_objective({k: v for k, v in metrics.items() if not k.endswith(COMPONENT_NAMES)})
