"""`NTLLossCallback`: the number loss in a stock Trainer by a callback alone, which sets `model.loss_function`."""

from typing import Any

from transformers import TrainingArguments

from ..settings.config import NTLConfig
from .batch_loss import BatchLoss
from .model_loss import ModelLoss, base_model_of, check_calls_loss, check_forward, shifts_labels
from .weight_callback import WeightCallback


class NTLLossCallback(WeightCallback):
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
        super().__init__(NTLConfig() if config is None else config)
        self.batch_loss = BatchLoss(tokenizer, config, self)
        self._model: Any = None
        self._previous: Any = None

    def begin(self, args: TrainingArguments, model: Any, train_dataloader: Any) -> None:
        """Put the loss in place.

        Raises:
            ValueError: see the class.
        """
        self.restore()
        base = base_model_of(model)
        check_forward(args, base)
        self.check(args, base, self.batch_loss.vocab, train_dataloader)
        self._install(base)
        try:
            check_calls_loss(base, self.batch_loss.vocab)
        except ValueError:
            self.restore()
            raise
        self.batch_loss.first_batch_checked = False  # that was a batch of our own

    def _install(self, base: Any) -> None:
        function = ModelLoss(self.batch_loss, shifts_labels(base))
        self._model, self._previous = base, vars(base).get("_loss_function")
        base.loss_function = function

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
