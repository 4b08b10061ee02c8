"""`WeightCallback`: what a loss inside a stock trainer needs a callback for, and what is refused before training."""

from typing import Any

import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from ..settings.arguments import NTLArguments
from ..settings.config import NTLConfig
from ..tokens.number_vocab import NumberVocab
from ..trainers.callback import NTLCallback
from ..trainers.checks import check_train_dataset, check_vocab
from ..trainers.model_kind import check_language_model


class WeightCallback(NTLCallback):
    """Follows the schedule of the weight, looks at trainer and data first, and sees that every step has the loss.

    Args:
        config: the settings.
    """

    adds_number_loss = True

    def __init__(self, config: NTLConfig) -> None:
        super().__init__(config.weight_schedule, config.warmup_steps)
        self._needs_numbers = config.needs_numbers
        self._is_scheduled = config.weight > 0 and (config.weight_schedule != "constant" or config.warmup_steps > 0)
        self._is_attached, self._called = False, False

    def current_factor(self) -> float:
        """The factor of the weight, 1 in evaluation; notes that the loss of a step was made.

        Raises:
            ValueError: the weight has a schedule, and no trainer calls this callback.
        """
        if not torch.is_grad_enabled():
            return 1.0
        self._called = True
        if self._is_scheduled and not self._is_attached:
            raise ValueError(
                "The weight of the number loss has a schedule or a warm-up, which needs to know the step: pass "
                "`callbacks=[loss_func.callback]` to the Trainer as well."
            )
        return self.factor

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        train_dataloader: Any = None,
        **kwargs: Any,
    ) -> None:
        self.begin(args, model, train_dataloader)

    def begin(self, args: TrainingArguments, model: Any, train_dataloader: Any) -> None:
        """What a subclass does before the first step: at least `check`."""
        raise NotImplementedError

    def check(self, args: TrainingArguments, model: Any, vocab: NumberVocab, train_dataloader: Any) -> None:
        """Raise `ValueError` for a trainer, model or data with which the loss would be wrong or have no effect."""
        check_arguments(args)
        check_language_model(model)
        vocab_size = check_vocab(model, vocab)
        if train_dataloader is not None:
            dataset, collate = train_dataloader.dataset, train_dataloader.collate_fn
            check_train_dataset(dataset, collate, vocab, vocab_size, self._needs_numbers)
        self._is_attached = True

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        super().on_step_begin(args, state, control, **kwargs)
        self._called = False

    def on_pre_optimizer_step(self, args: TrainingArguments, *rest: Any, **kwargs: Any) -> None:
        """Raise `RuntimeError`, before a parameter is changed, if the trainer made its loss in another way."""
        if not self._called:
            raise RuntimeError(
                "The number loss was not called in this step: the trainer, or a patch of the model's forward, makes "
                "its loss in another way (a loss function of its own, a fused head). Nothing has been trained with "
                "it. Use `NTLTrainer`, `NTLSFTTrainer` or `NTLSeq2SeqTrainer`, or remove what replaces the loss."
            )


def check_arguments(args: TrainingArguments) -> None:
    """Raise `ValueError` for arguments that the number loss cannot go with, whichever way it comes in."""
    if isinstance(args, NTLArguments):
        raise ValueError(
            f"`{type(args).__name__}` is for the trainers of this package, which add the number loss themselves. "
            "Remove this callback and `ntl_loss_func`, or use the stock Trainer with `TrainingArguments`."
        )
    if args.n_gpu > 1:
        raise ValueError(
            "The number loss does not support `nn.DataParallel`, which the Trainer falls back to when one process "
            "sees several GPUs. Start with `accelerate launch` or `torchrun`, or set `CUDA_VISIBLE_DEVICES`."
        )
    if args.label_smoothing_factor:
        raise ValueError(
            "`label_smoothing_factor` has no effect together with this loss, or replaces it. Remove it, or use "
            "`NTLTrainer`, which smooths labels and adds the number loss."
        )
    if uses_fused_liger(args):
        raise ValueError(
            "`use_liger_kernel` replaces the model's loss by one that makes no logits. Set "
            '`liger_kernel_config={"fused_linear_cross_entropy": False}`, or use `NTLTrainer` without it, whose fused '
            "head has the number loss."
        )


def uses_fused_liger(args: TrainingArguments) -> bool:
    """Whether the Trainer has Liger replace the output head and the loss; that is what it does unless told not to."""
    options = args.liger_kernel_config or {}
    return bool(args.use_liger_kernel) and options.get("fused_linear_cross_entropy") is not False
