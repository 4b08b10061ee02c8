"""`ntl_loss_func`: the number loss as the `compute_loss_func` of a stock `transformers.Trainer`."""

from typing import Any

from torch import Tensor

from ..settings.config import NTLConfig
from ..tokens.targets import align_labels
from ..trainers.checks import NO_LABELS
from .batch_loss import BatchLossCallback


def ntl_loss_func(
    tokenizer: Any, config: NTLConfig | None = None, *, shift: bool | None = None
) -> "NumberLossFunction":
    """CE + weight * NTL for `Trainer(compute_loss_func=...)`.

    Cross entropy is exact under accumulation and over processes, as the stock Trainer's is for decoders. The number
    loss is exact in steps of one micro-batch in one process; else each micro-batch counts by its labels, because the
    Trainer counts labels only, and not numbers. `NTLTrainer` counts both, and needs no logits.

    Args:
        tokenizer: the model's tokenizer, or a `NumberVocab`.
        config: the settings; None takes the defaults.
        shift: whether the logits at t predict the label at t + 1. None reads it off the class of the model's outputs:
            yes for decoders, no for encoder-decoders and masked language models.

    Returns:
        A callable `(outputs, labels, num_items_in_batch=None)`. Its `callback` goes into `callbacks=[...]`: it follows
        `weight_schedule` and `warmup_steps`, which need it, and refuses before training what would be wrong.

    Raises:
        ValueError: settings that need a trainer of this package (`balance`, `head="fused"`).
        NoNumberTokensError: the tokenizer has no number tokens.

    Examples:
        >>> loss_func = ntl_loss_func(tokenizer, NTLConfig(weight=0.3))
        >>> trainer = Trainer(model, args, compute_loss_func=loss_func, callbacks=[loss_func.callback], ...)
    """
    return NumberLossFunction(tokenizer, config, shift)


class NumberLossFunction:
    """What `ntl_loss_func` returns.

    Args:
        tokenizer, config, shift: as of `ntl_loss_func`.

    Attributes:
        callback: for the `callbacks` of the same Trainer; it makes the loss.
        adds_number_loss: true, so that a trainer that adds the number loss itself can refuse this.
    """

    adds_number_loss = True

    def __init__(self, tokenizer: Any, config: NTLConfig | None = None, shift: bool | None = None) -> None:
        self.callback, self._shift = BatchLossCallback(tokenizer, config), shift

    def __call__(self, outputs: Any, labels: Tensor | None, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        """The loss of one micro-batch, see `BatchLossCallback.batch_loss`.

        Args:
            outputs: of the model, with `logits` `[B, T, V]`.
            labels: `[B, T]`, int64, as the data collator made them.
            num_items_in_batch: labels of the whole step, over all processes.

        Raises:
            ValueError: no labels, no logits, an auxiliary loss that would be dropped, outputs of an unknown class
                without `shift`, and what `BatchLossCallback.batch_loss` raises.
        """
        logits = _logits_of(outputs)
        if labels is None:
            raise ValueError(NO_LABELS)
        shift = _shifts(outputs) if self._shift is None else self._shift
        aligned = align_labels(labels.to(logits.device), logits.shape[1], shift)
        return self.callback.batch_loss(logits, aligned, num_items_in_batch)


def _logits_of(outputs: Any) -> Tensor:
    """The logits, `[B, T, V]`; raise `ValueError` for outputs that the loss cannot be made from."""
    outputs = outputs if isinstance(outputs, dict) else vars(outputs) if hasattr(outputs, "__dict__") else {}
    if outputs.get("aux_loss") is not None:
        raise ValueError(
            "The model has an auxiliary loss (`aux_loss`, of its router), which a Trainer with `compute_loss_func` "
            "leaves out. Use `NTLTrainer` or `NTLLossCallback`, which train it, or set `output_router_logits` of the "
            "model's configuration to False."
        )
    logits = outputs.get("logits")
    if isinstance(logits, Tensor) and logits.ndim != 3 and logits.numel() > 0:
        raise ValueError(
            f"The model's outputs have logits {list(logits.shape)}, those of no language model; the number loss needs "
            "[B, T, V], one for each token of the vocabulary. Load the model with `AutoModelForCausalLM` or "
            "`AutoModelForSeq2SeqLM`; for one number a text, `ntl_hf.systems.NumberHeadTrainer` trains a regression "
            "head (`ntl_hf.systems.load_regression_head`)."
        )
    if not isinstance(logits, Tensor) or logits.ndim != 3 or logits.numel() == 0:
        found = f"a shape of {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"{type(logits).__name__}"
        raise ValueError(
            f"The model's outputs have no logits [B, T, V] ({found}), which the number loss is made from: a fused "
            "head (Liger's, Unsloth's, TRL's) makes the loss without them. Turn it off, or use `NTLTrainer` or "
            "`NTLSFTTrainer`, which make CE and NTL in a fused head of their own."
        )
    return logits


def _shifts(outputs: Any) -> bool:
    name = type(outputs).__name__
    if "CausalLM" in name:
        return True
    if "Seq2Seq" in name or "MaskedLM" in name:
        return False
    raise ValueError(
        f"Outputs of the class `{name}` do not tell how logits and labels belong together. Pass `ntl_loss_func(..., "
        "shift=True)` if the logits at t predict the label at t + 1 (decoders), else `shift=False`."
    )
