"""`NTLLossCallback`: the number loss in a stock Trainer by a callback alone, which sets `model.loss_function`."""

import logging
from typing import Any

import torch
from accelerate.utils import extract_model_from_parallel
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from transformers import TrainerControl, TrainerState, TrainingArguments
from transformers.loss.loss_utils import ForCausalLMLoss, ForMaskedLMLoss

from ..settings.config import NTLConfig
from ..tokens.number_vocab import NumberVocab
from ..tokens.targets import IGNORE_INDEX
from ..tokens.targets import shift_labels as shifted
from .batch_loss import BatchLossCallback

logger = logging.getLogger(__name__)


class NTLLossCallback(BatchLossCallback):
    """Trains any model that calls its `loss_function` on CE + weight * NTL, in a stock `transformers.Trainer`.

    The models of transformers compute their loss with `self.loss_function`; this callback puts its own in that place
    when training begins, and the old one back when it ends. Evaluations during training include the number loss, those
    before and after it do not. Scale and exactness are those of `ntl_loss_func`.

    A training that ends with an exception leaves the loss in the model; `restore()`, or the end of the next training
    with this callback, takes it out.

    Args:
        tokenizer: the model's tokenizer, or a `NumberVocab`.
        config: the settings; None takes the defaults.

    Raises:
        ValueError: settings that need a trainer of this package; when training begins, before any step: a model that
            never calls `loss_function` or has another kind of it, TRL's trainers and Liger's fused loss, which bypass
            it, label smoothing, `nn.DataParallel`, labels outside the vocabulary and data without numbers.
        RuntimeError: before the first parameter changes, if the trainer made its loss in any other way.
        NoNumberTokensError: the tokenizer has no number tokens.

    Examples:
        >>> trainer = Trainer(model, args, train_dataset=data, callbacks=[NTLLossCallback(tokenizer)])
    """

    def __init__(self, tokenizer: Any, config: NTLConfig | None = None) -> None:
        super().__init__(tokenizer, config)
        self._model: Any = None
        self._previous: Any = None

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        train_dataloader: Any = None,
        **kwargs: Any,
    ) -> None:
        """Put the loss in place.

        Raises:
            ValueError: see the class.
        """
        self.restore()
        base = _base_model_of(model)
        _check_forward(args, base)
        super().on_train_begin(args, state, control, base, train_dataloader, **kwargs)
        loss = ModelLoss(self, _shifts_labels(base))
        self._model, self._previous = base, vars(base).get("_loss_function")
        base.loss_function = loss
        try:
            _check_calls_loss(base, self.vocab)
        except ValueError:
            self.restore()
            raise
        self._first_batch.due.add("logits and labels")  # that was a batch of our own

    def on_pre_optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().on_pre_optimizer_step(*args, **kwargs)
        except RuntimeError:
            self.restore()  # whoever follows the advice of the message trains this model again
            raise

    def on_train_end(self, *args: Any, **kwargs: Any) -> None:
        self.restore()

    def restore(self) -> None:
        """Give the model its own loss back. Does nothing where it has it."""
        if self._model is None:
            return
        if self._previous is None:
            del self._model._loss_function
        else:
            self._model.loss_function = self._previous
        self._model = self._previous = None


class ModelLoss:
    """CE + weight * NTL in the place of a model's own `loss_function`; called as those of transformers are.

    Args:
        callback: makes the loss.
        shifts: whether the logits at t predict the label at t + 1.
    """

    def __init__(self, callback: BatchLossCallback, shifts: bool) -> None:
        self.callback, self.shifts = callback, shifts
        self.was_called = False

    @torch.compiler.disable  # the check of the first batch reads values back
    def __call__(
        self,
        logits: Tensor,
        labels: Tensor | None = None,
        vocab_size: int | None = None,
        num_items_in_batch: Tensor | int | None = None,
        ignore_index: int = IGNORE_INDEX,
        shift_labels: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """The loss of one micro-batch, scalar, float32; `shift_labels` `[B, T]` are aligned, `labels` are not."""
        self.was_called = True
        if shift_labels is None:
            assert labels is not None
            shift_labels = shifted(labels) if self.shifts else labels
        aligned = shift_labels.to(logits.device)
        aligned = aligned.masked_fill(aligned == ignore_index, IGNORE_INDEX)
        return self.callback.batch_loss(logits, aligned, num_items_in_batch)


def _base_model_of(model: Any) -> Any:
    """The model itself, without the wrappers of distributed training, compilation and adapters.

    Raises:
        ValueError: a model without a `loss_function`, or with that of another callback.
    """
    model = extract_model_from_parallel(model, keep_torch_compile=False)
    model = model.get_base_model() if hasattr(model, "get_base_model") else model
    if not hasattr(model, "loss_function"):
        raise ValueError(
            f"{type(model).__name__} has no `loss_function`, as the models of transformers have. Use `ntl_loss_func` "
            "as the Trainer's `compute_loss_func`, or `NTLoss` in a training loop of your own."
        )
    if isinstance(model.loss_function, ModelLoss):
        raise ValueError(
            "The model already has the loss of another `NTLLossCallback`. Use one of them; `restore()` of the other "
            "removes its loss, also after a training that ended with an exception."
        )
    return model


def _shifts_labels(model: Any) -> bool:
    """Whether the model's own loss moves the labels; raise `ValueError` if it is no cross entropy over tokens."""
    known = {ForCausalLMLoss: True, ForMaskedLMLoss: False}
    if model.loss_function not in known:
        name = getattr(model.loss_function, "__name__", type(model.loss_function).__name__)
        raise ValueError(
            f"The loss function of {type(model).__name__} is `{name}`, which `NTLLossCallback` cannot replace: it "
            "replaces cross entropy over tokens (`ForCausalLMLoss`, `ForMaskedLMLoss`). Use `ntl_loss_func` if your "
            "model predicts tokens."
        )
    return known[model.loss_function]


def _check_forward(args: TrainingArguments, model: nn.Module) -> None:
    """Raise `ValueError` for trainers and patched models that make the loss without `loss_function`."""
    if any(cls.__module__.split(".")[0] == "trl" for cls in type(args).__mro__):
        raise ValueError(
            f"The trainer of `{type(args).__name__}` makes its loss in TRL, without the model's `loss_function`. Use "
            "`NTLSFTTrainer`, which takes the same arguments as `SFTTrainer`."
        )
    forward: Any = model.forward
    while forward is not None:  # the function that runs as the model's forward, and those that it says it wraps
        forward = getattr(forward, "__func__", forward)
        if str(forward.__module__).split(".")[0] == "liger_kernel":
            raise ValueError(
                f"Liger has replaced the forward of {type(model).__name__} by one with a fused loss, which bypasses "
                "`loss_function`. Apply it with `fused_linear_cross_entropy=False`, or use `NTLTrainer` without it."
            )
        code = getattr(forward, "__code__", None)
        if code is not None and "fused_lm_head" in code.co_varnames:
            raise ValueError(
                f"{type(model).__name__} has the fused head of TRL, whose loss bypasses `loss_function`. Use "
                "`NTLSFTTrainer`, or load the model anew."
            )
        forward = getattr(forward, "__wrapped__", None)


def _check_calls_loss(model: Any, vocab: NumberVocab) -> None:
    """Raise `ValueError` if a forward pass on two tokens does not call the `ModelLoss` of the model.

    A model that is split among processes is left to the check of the first step, and so is one that needs more than
    text.
    """
    if any(hasattr(parameter, "ds_id") or isinstance(parameter, DTensor) for parameter in model.parameters()):
        return
    ids = vocab.ids[:2].unsqueeze(0).to(model.device)
    training = model.training
    model.eval()  # no dropout, so that the random numbers of the training stay what they are
    try:
        with torch.no_grad():
            model(input_ids=ids, labels=ids)
    except Exception as error:  # whatever a model does not like about text alone
        logger.warning("%s could not be checked on two tokens: %s", type(model).__name__, error)
        return
    finally:
        model.train(training)
    if not model.loss_function.was_called:
        raise ValueError(
            f"{type(model).__name__} computes its loss without calling `loss_function`, so that a callback cannot add "
            "the number loss. Use `NTLTrainer` or `NTLSeq2SeqTrainer`, or `ntl_loss_func` as `compute_loss_func`."
        )
