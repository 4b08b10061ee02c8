"""`BatchLossCallback`: CE + weight * NTL of micro-batches, where nobody counts the number tokens of the step."""

from typing import Any

import torch
from torch import Tensor
from transformers import TrainerControl, TrainerState, TrainingArguments

from ..head import head_from_logits
from ..losses import reduce_losses
from ..losses.objective import NTLObjective
from ..settings.arguments import NTLArguments
from ..settings.config import NTLConfig
from ..tokens.number_layout import NumberSyntax
from ..tokens.number_vocab import NumberVocab
from ..trainers.callback import NTLCallback
from ..trainers.checks import check_labels, check_train_dataset, check_vocab
from ..trainers.first_batch import FirstBatch
from ..trainers.model_kind import check_language_model

_NO_DATA_PARALLEL = (
    "The number loss does not support `nn.DataParallel`, which the Trainer falls back to when one process sees "
    "several GPUs. Start with `accelerate launch` or `torchrun`, or set `CUDA_VISIBLE_DEVICES`."
)


class BatchLossCallback(NTLCallback):
    """Makes cross entropy and the number loss of logits, scaled to their share of the optimizer step.

    With n labels in the micro-batch and N in the step (`num_items`), it is (sum of CE + weight * n * mean of NTL) / N.
    CE is exact however the step is split. NTL is exact in a step of one micro-batch, and where all micro-batches have
    the same share of number tokens among their labels; otherwise each counts by its labels instead of its numbers.

    As a callback of the trainer, it follows the schedule of the weight, looks at trainer and data first, and sees that
    every step has the loss.

    Args:
        tokenizer: a Hugging Face tokenizer, or its `NumberVocab`.
        config: the settings; None takes the defaults.

    Attributes:
        adds_number_loss: true, so that a trainer that adds the number loss itself can refuse this.

    Raises:
        ValueError: settings that only the trainers of this package can follow.
        NoNumberTokensError: the tokenizer has no number tokens.
    """

    adds_number_loss = True

    def __init__(self, tokenizer: Any, config: NTLConfig | None = None) -> None:
        config = NTLConfig() if config is None else config
        super().__init__(config.weight_schedule, config.warmup_steps)
        _check_config(config)
        self.config = config
        self.vocab, syntax = _numbers_of(tokenizer, config)
        self.objective = NTLObjective(self.vocab, config, syntax)
        self._is_attached = self._called = False
        self._first_batch = FirstBatch("logits and labels")

    def batch_loss(self, logits: Tensor, labels: Tensor, num_items: Tensor | int | None = None) -> Tensor:
        """The loss of one micro-batch.

        Args:
            logits: `[B, T, V]`, any float dtype.
            labels: `[B, T]`, int64, aligned with the logits, -100 where there is none.
            num_items: labels of the whole step, over all processes; None takes those of this batch.

        Returns:
            Scalar, float32 (float64 for float64 logits). 0, with a gradient of 0, without labels.

        Raises:
            ValueError: logits too narrow for the number tokens, labels outside the vocabulary (in the first batch),
                counts of several devices in one process, or a schedule of the weight that nobody follows.
        """
        self._check_batch(logits, labels, num_items)
        weight = self.config.scale * self._current_factor()
        head = head_from_logits(logits, self.objective.targets(labels))
        count = head.label_mask.sum()
        total = self.objective.cross_entropy_sum(head)
        smoothing = self.objective.smoothing_sum(head)
        if smoothing is not None:
            total = total + smoothing
        if weight > 0:
            mean = reduce_losses(self.objective.number_losses(head), head.target >= 0)
            total = total + weight * (count * mean)
        return total / torch.as_tensor(count if num_items is None else num_items, device=total.device).clamp(min=1)

    def _check_batch(self, logits: Tensor, labels: Tensor, num_items: Tensor | int | None) -> None:
        if torch.is_tensor(num_items) and num_items.numel() > 1:
            raise ValueError(_NO_DATA_PARALLEL)
        self._first_batch.make("logits and labels", self._check_fit, logits.shape[-1], labels)

    def _check_fit(self, vocab_size: int, labels: Tensor) -> None:
        self.vocab.check_fits(vocab_size)
        check_labels(labels, vocab_size)

    def _current_factor(self) -> float:
        """The factor of the weight, 1 in evaluation; notes that the loss of a step was made."""
        if not torch.is_grad_enabled():
            return 1.0
        self._called = True
        is_scheduled = self.config.weight_schedule != "constant" or self.config.warmup_steps > 0
        if self.config.weight > 0 and is_scheduled and not self._is_attached:
            raise ValueError(
                "The weight of the number loss has a schedule or a warm-up, which needs to know the step: pass "
                "`callbacks=[loss_func.callback]` to the Trainer as well."
            )
        return self.factor

    # ---- Events ----

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        train_dataloader: Any = None,
        **kwargs: Any,
    ) -> None:
        """Raise `ValueError` for a trainer, model or data with which the loss would be wrong or have no effect."""
        _check_arguments(args)
        check_language_model(model)
        vocab_size = check_vocab(model, self.vocab)
        if train_dataloader is not None:
            dataset, collate = train_dataloader.dataset, train_dataloader.collate_fn
            check_train_dataset(dataset, collate, self.vocab, vocab_size, self.config.needs_numbers)
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


def _numbers_of(tokenizer: Any, config: NTLConfig) -> tuple[NumberVocab, NumberSyntax | None]:
    if not isinstance(tokenizer, NumberVocab):
        vocab = NumberVocab.from_tokenizer(tokenizer, config.digits_only)
        return vocab, NumberSyntax.from_tokenizer(tokenizer, vocab) if config.reads_text else None
    if config.reads_text:
        raise ValueError(
            f"The loss '{config.loss}' with `place_weights='{config.place_weights}'` reads how numbers are written: "
            "pass the tokenizer instead of a `NumberVocab`."
        )
    return tokenizer, None


def _check_config(config: NTLConfig) -> None:
    """Raise `ValueError` for settings that need to know the whole step, or the hidden states."""
    if config.balance != "none":
        raise ValueError(
            "`balance` is made over whole steps, which a loss of single batches does not see. Use `NTLTrainer` (or "
            "`NTLSFTTrainer`, `NTLSeq2SeqTrainer`), or set it to 'none'."
        )
    if config.head == "fused":
        raise ValueError(
            "`head='fused'` makes the loss from hidden states; this one is made from the model's logits. Use "
            "`NTLTrainer` or `NTLSFTTrainer`, or set it to 'auto'."
        )


def _check_arguments(args: TrainingArguments) -> None:
    """Raise `ValueError` for arguments that the number loss cannot go with, whichever way it comes in."""
    if isinstance(args, NTLArguments):
        raise ValueError(
            f"`{type(args).__name__}` is for the trainers of this package, which add the number loss themselves. "
            "Remove this callback and `ntl_loss_func`, or use the stock Trainer with `TrainingArguments`."
        )
    if args.n_gpu > 1:
        raise ValueError(_NO_DATA_PARALLEL)
    if args.label_smoothing_factor:
        raise ValueError(
            "`label_smoothing_factor` has no effect together with this loss, or replaces it. Remove it, or use "
            "`NTLTrainer`, which smooths labels and adds the number loss."
        )
    if _uses_fused_liger(args):
        raise ValueError(
            "`use_liger_kernel` replaces the model's loss by one that makes no logits. Set "
            '`liger_kernel_config={"fused_linear_cross_entropy": False}`, or use `NTLTrainer` without it, whose fused '
            "head has the number loss."
        )


def _uses_fused_liger(args: TrainingArguments) -> bool:
    """Whether the Trainer has Liger replace the output head and the loss; that is what it does unless told not to."""
    options = args.liger_kernel_config or {}
    return bool(args.use_liger_kernel) and options.get("fused_linear_cross_entropy") is not False
