"""`NumberHeadTrainer`: for the systems whose loss is a squared error of numbers."""

from typing import Any

import torch
from peft import PeftConfig
from torch import Tensor
from transformers import Trainer

from ..decoding.stepper import CACHE_NAMES
from ..losses.objective import router_loss
from ..tokens.targets import IGNORE_INDEX, shift_labels
from ..trainers.cards import RunRecord
from ..trainers.checks import check_parallelism
from ..trainers.first_batch import FirstBatch
from ..trainers.lora import with_adapter
from ..trainers.metric_checks import check_best_metric
from ..trainers.model_modes import keep_differentiable
from ..trainers.saving import NTLSavingMixin
from ..trainers.steps import StepMixin
from .adapted import system_of
from .number_rows import NumberCollator, check_number_dataset, check_numbers
from .registration import check_adapter
from .regression_head import is_regression_head
from .scaling import scaling_of
from .xval.mixin import check_settings

# Outputs that are no rows of a prediction.
_NO_PREDICTIONS = ["token_loss", "number_loss", "aux_loss", "router_logits", "encoder_last_hidden_state", *CACHE_NAMES]


class NumberHeadTrainer(NTLSavingMixin, StepMixin, Trainer):
    """`transformers.Trainer` for xVal's models and for regression heads.

    Means are over the labels, and over the numbers, of a whole optimizer step, all micro-batches and processes: how
    the rows are spread changes nothing. xVal: CE + number_weight * squared error. A regression head: squared error of
    the scaled target; the stock loss is a mean over the micro-batch. For xVal the log has `token_loss` and
    `number_loss`, means of the steps since the last log.

    Predictions (`predict`, `compute_metrics`) of a regression head are `[N]`, in the units of the targets.

    Args:
        model: from `load_xval` or `load_regression_head`, adapted or not.
        peft_config: an adapter to train instead of the whole model.
        args: as of `Trainer`.
        kwargs: as of `Trainer`; without a `data_collator`, it is `NumberCollator(processing_class)`.

    Raises:
        ValueError: a model of another kind, label smoothing, `compute_loss_func`, `nn.DataParallel`, or DeepSpeed
            sequence parallelism.
    """

    def __init__(self, model: Any = None, *args: Any, peft_config: PeftConfig | None = None, **kwargs: Any) -> None:
        if peft_config is not None:
            model = with_adapter(model, peft_config, args[0] if args else kwargs.get("args"))
        if len(args) < 2 and kwargs.get("data_collator") is None and kwargs.get("processing_class") is not None:
            kwargs["data_collator"] = NumberCollator(kwargs["processing_class"])
        super().__init__(model, *args, **kwargs)
        check_parallelism(self)
        check_adapter(self.model)
        keep_differentiable(self.model)
        self.system = _system(self)
        # Without this, the Trainer does not count the labels of the step.
        self.model_accepts_loss_kwargs = True
        self._parts: Tensor | None = None
        self._steps, self._first_batch = 0, FirstBatch("numbers")

    @property
    def _is_head(self) -> bool:
        return self.system == "regression_head"

    @property
    def _vocab_size(self) -> int | None:
        return None if self._is_head else int(self.model.config.get_text_config().vocab_size)

    # ---- Before training ----

    def check_training_data(self) -> None:
        """Raise `ValueError` for rows without labels, and for targets and values that are not finite.

        `train` calls it; call it yourself to know before a long set-up.
        """
        dataset, collate = self._prepared(self.train_dataset, "training")
        check_number_dataset(dataset, collate, self._vocab_size)
        check_best_metric(self)

    def _begin_attempt(self, checkpoint: str | None, is_first: bool) -> None:
        super()._begin_attempt(checkpoint, is_first)
        self._parts, self._steps = None, 0

    # ---- Counting ----

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> Any:
        batches, counts = super().get_batch_samples(epoch_iterator, num_batches, device)
        if batches:
            # Once: it reads values back from the device. Stored sets were checked whole before.
            self._first_batch.make("numbers", check_numbers, batches[0], self._vocab_size)
        self._steps += bool(batches)
        return batches, counts

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: torch.device) -> Tensor | None:
        """Labels and numbers of all batches and processes, `[2]`, with the Trainer's own way of counting."""
        if not batch_samples:
            return None
        count = super()._get_num_items_in_batch
        kinds = zip(*(self._counted(batch) for batch in batch_samples), strict=True)
        # `shift_labels` are counted as they stand.
        batches = [[{"labels": labels, "shift_labels": labels} for labels in kind] for kind in kinds]
        return torch.stack([torch.as_tensor(count(each, device)) for each in batches])

    def _counted(self, batch: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Labels and labels that are numbers, each where a prediction is made, -100 elsewhere."""
        if self._is_head:
            rows = torch.zeros(len(batch["labels"]), dtype=torch.long, device=batch["labels"].device)
            return rows, rows
        config = self.model.config
        labels = batch["labels"] if config.is_encoder_decoder else shift_labels(batch["labels"])
        return labels, labels.masked_fill(labels != config.num_token_id, IGNORE_INDEX)

    def _prepare_input(self, data: Any) -> Any:
        # The stock method rounds numbers to the dtype of the weights where DeepSpeed is on.
        return data.to(self.args.device) if isinstance(data, Tensor) else super()._prepare_input(data)

    # ---- The loss ----

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The loss of a batch, as its share of the step's: `num_items_in_batch` are the two counts of the step."""
        scale = 1 if num_items_in_batch is None else self._process_scale
        counts = num_items_in_batch
        if counts is None:
            counts = torch.stack([(each != IGNORE_INDEX).sum() for each in self._counted(inputs)])
        # A step without numbers is a zero and not 0 / 0.
        labels, numbers = torch.as_tensor(counts, device=self.args.device).clamp(min=1)
        if self._is_head:
            outputs = model(**{name: value for name, value in inputs.items() if name != "labels"})
            predictions = outputs["logits"].float().squeeze(-1)
            targets = scaling_of(self.model.config).scale(inputs["labels"].to(predictions.device))
            loss = (predictions - targets).square().sum() / numbers
        else:
            outputs = model(**inputs, num_items_in_batch=labels, num_numbers_in_batch=numbers)
            # A mean over the micro-batch, which no count of the step divides.
            steps = self.current_gradient_accumulation_steps if self.model.training else 1
            loss = outputs["loss"] + (1 / (scale * steps) - 1) * router_loss(self.model.config, outputs)
            if self.model.training:
                parts = torch.stack([outputs["token_loss"], outputs["number_loss"]]).detach().float()
                self._parts = parts if self._parts is None else self._parts + parts
        return (scale * loss, outputs) if return_outputs else scale * loss

    def prediction_step(
        self,
        model: Any,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> Any:
        keys = [*(ignore_keys or ()), *_NO_PREDICTIONS]
        loss, predictions, labels = super().prediction_step(model, inputs, prediction_loss_only, keys)
        if self._is_head and predictions is not None:
            predictions = scaling_of(self.model.config).unscale(predictions.squeeze(-1))
        return loss, predictions, labels

    # ---- The log and the record ----

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs and self._parts is not None:
            # Each process has its share of the mean, or a mean of its own.
            shares = self.accelerator.gather(self._parts.unsqueeze(0))
            means = self._process_scale * shares.mean(0) / max(self._steps, 1)
            logs.update(zip(("token_loss", "number_loss"), means.tolist(), strict=True))
            self._parts, self._steps = None, 0
        super().log(logs, start_time)

    def _run_record(self) -> RunRecord:
        return RunRecord(None, tags=(self.system.replace("_", "-"),))


def _system(trainer: Any) -> str:
    """ "regression_head" or "xval"; raises `ValueError` for other models, and for losses that would replace theirs."""
    if trainer.label_smoother is not None or trainer.compute_loss_func is not None:
        raise ValueError(
            "`NumberHeadTrainer` has a loss of its own; remove `label_smoothing_factor` and `compute_loss_func`."
        )
    config = trainer.model.config
    if is_regression_head(config):
        scaling_of(config)
        return "regression_head"
    if system_of(config) == "xval":
        check_settings(config.num_token_id, config.number_weight, config.number_scaling)
        return "xval"
    raise ValueError(
        f"`NumberHeadTrainer` is for models of `load_regression_head` and `load_xval`, not {type(trainer.model)}. "
        "Train others with `NTLTrainer` or `NTLSFTTrainer`."
    )
