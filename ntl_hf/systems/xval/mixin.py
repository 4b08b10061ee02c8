"""`XValMixin`: what makes xVal of a language model: scaled embeddings, a number head, and the two losses."""

from collections.abc import Sequence
from dataclasses import field, make_dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import initialization as init

from ...losses.objective import router_loss
from ...settings.checks import is_number
from ...tokens.targets import IGNORE_INDEX
from ..embeds import EmbeddingMixin
from ..scaling import NumberScaling
from .generate import NumberSteps

# What only xVal's forward takes; `number_values` and `decoder_number_values` go with the token ids.
_OF_LOSS = ("number_labels", "num_items_in_batch", "num_numbers_in_batch")


class NumberHead(nn.Module):
    """Two linear layers with a GELU between them, `[..., width]` -> `[...]`, in float32.

    As in the authors' code (github.com/PolymathicAI/xVal), but for the width in the middle, which there is that of the
    feed-forward layers, and here that of the model.

    Args:
        width: of the hidden states.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.middle = nn.Linear(width, width, dtype=torch.float32)
        self.last = nn.Linear(width, 1, dtype=torch.float32)

    def forward(self, hidden: Tensor) -> Tensor:
        # Rounded to bfloat16, a prediction would have two or three digits.
        with torch.autocast(hidden.device.type, enabled=False):
            middle = nn.functional.gelu(self.middle(hidden.to(self.middle.weight.dtype)))
            result: Tensor = self.last(middle)
        return result.squeeze(-1)


def xval_losses(
    logits: Tensor,
    predictions: Tensor,
    labels: Tensor,
    numbers: Tensor,
    num_token_id: int,
    shift: bool,
    counts: Sequence[Any] = (None, None),
) -> tuple[Tensor, Tensor]:
    """Cross entropy over the labels and squared error over those that are `[NUM]`, scalars, in scaled units.

    They are float32, float64 for float64 logits. Without a `[NUM]`, the error is 0, and still made of the predictions:
    wrappers such as DDP want a gradient for each parameter.

    Args:
        logits: of the last T' positions, `[B, T', V]`.
        predictions: `[B, T']`, scaled.
        labels: `[B, T]`, int64, -100 where there is none.
        numbers: the number at each label that is `[NUM]`, `[B, T]`, float32, scaled; anything elsewhere.
        num_token_id: the id of `[NUM]`.
        shift: whether position t predicts the label t + 1.
        counts: what the two sums are divided by, numbers or scalar tensors; None for the number of labels, and of
            those that are `[NUM]`. At least 1 is divided by.
    """
    # Negative padding cuts: T' is less than T where a model keeps few logits.
    pad = (logits.shape[1] - labels.shape[1] - int(shift), int(shift))
    labels, numbers = F.pad(labels, pad, value=IGNORE_INDEX), F.pad(numbers, pad)
    is_number = labels == num_token_id
    flat = logits.flatten(0, 1).to(torch.promote_types(logits.dtype, torch.float32))
    sums = (
        F.cross_entropy(flat, labels.flatten(), ignore_index=IGNORE_INDEX, reduction="sum"),
        (predictions - numbers).where(is_number, 0.0).square().sum(),
    )
    found = zip(sums, counts, (labels != IGNORE_INDEX, is_number), strict=True)
    token_loss, number_loss = (total / _divisor(count, mask) for total, count, mask in found)
    return token_loss, number_loss


def _divisor(count: Any, mask: Tensor) -> Any:
    if count is None:
        return mask.sum().clamp(min=1)
    # A plain number stays one: each copy to the device would stall it.
    return count.to(mask.device).clamp(min=1) if isinstance(count, Tensor) else max(count, 1)


def with_numbers(base: Any, **added: Tensor | None) -> Any:
    """The output of a base model with a `loss` and the further fields of xVal."""
    made: Any = type(base)
    return output_class(made)(**{**base, **added})


@cache
def output_class(base: Any) -> Any:
    """A base's `ModelOutput` with `number_predictions`, `token_loss` and `number_loss`."""
    names = ("number_predictions", "token_loss", "number_loss")
    fields = [(name, Tensor | None, field(default=None)) for name in names]
    return make_dataclass(f"XVal{base.__name__}", fields, bases=(base,))


class XValMixin(NumberSteps, EmbeddingMixin):
    """xVal (Golkar et al. 2023, arXiv 2310.02989) on a base model.

    The embedding of `[NUM]` is multiplied by the scaled number. A number head reads what the output head reads, and
    predicts the number of the next token.

    Raises:
        ValueError: the config does not say which token `[NUM]` is, or its settings make no sense.
    """

    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        check_settings(config.num_token_id, config.number_weight, config.number_scaling)
        super().__init__(config, *args, **kwargs)
        # Quantisers leave these alone.
        self._keep_in_fp32_modules.add("number_head")
        self.number_head = NumberHead(self.get_input_embeddings().weight.shape[1])
        # The base has initialised itself; this does the head.
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, NumberHead):
            for layer in (module.middle, module.last):
                init.normal_(layer.weight, mean=0.0, std=self._head_std(layer.in_features))
                init.zeros_(layer.bias)

    def _head_std(self, width: int) -> float:
        # T5 has only a factor, of scales that belong to its own layers.
        names = ("initializer_range", "init_std")
        return next((float(std) for name in names if (std := getattr(self.config, name, None))), width**-0.5)

    @property
    def number_scaling(self) -> NumberScaling:
        """Between the numbers of a text and those of the head."""
        return NumberScaling.from_dict(self.config.number_scaling or {})

    def forward(self, **inputs: Any) -> Any:
        """The base's forward with numbers.

        Args:
            number_values: the number at each `[NUM]` of `input_ids`, `[B, T]`, float32; anything elsewhere.
            decoder_number_values: the same for `decoder_input_ids`.
            labels: `[B, T]`, as the base takes them.
            number_labels: the number at each label `[NUM]`, `[B, T]`, float32; anything elsewhere.
            num_items_in_batch: what to divide the sum of the cross entropy by; default: the number of labels.
            num_numbers_in_batch: what to divide the sum of squared errors by; default: the number of labels `[NUM]`.
            inputs: the other arguments of the base.

        Returns:
            The base's output with `number_predictions`, `[B, T']` for logits `[B, T', V]`, unscaled, float32. With
            `labels`, `loss` is cross entropy + `number_weight` * squared error in scaled units; `token_loss` and
            `number_loss` are the two without gradient. A router's loss is added as the base does it.

        Raises:
            ValueError: there is a `[NUM]` and no numbers were given, or numbers of another shape than the tokens.
        """
        labels, return_dict = inputs.get("labels"), inputs.pop("return_dict", None)
        numbers, *counts = (inputs.pop(name, None) for name in _OF_LOSS)
        if labels is not None:
            numbers = self._checked(numbers, labels, "number_labels")
        base, predictions = self._base_output(self._embedded(self._with_decoder_numbers(inputs, numbers)))
        losses: dict[str, Tensor] = {}
        if labels is not None:
            labels, scaled = (each.to(base.logits.device) for each in (labels, self.number_scaling.scale(numbers)))
            shift = not self.config.is_encoder_decoder
            pair = xval_losses(base.logits, predictions, labels, scaled, self.config.num_token_id, shift, counts)
            total = pair[0] + self.config.number_weight * pair[1] + router_loss(self.config, base)
            losses = {"loss": total, "token_loss": pair[0].detach(), "number_loss": pair[1].detach()}
        output = with_numbers(base, number_predictions=self.number_scaling.unscale(predictions), **losses)
        is_tuple = not (self.config.return_dict if return_dict is None else return_dict)
        return output.to_tuple() if is_tuple else output

    def with_numbers(self, embeddings: Tensor, ids: Tensor, values: Tensor | None) -> Tensor:
        values = self._checked(values, ids, "number_values` or, of the decoder, `decoder_number_values")
        factors = self.number_scaling.scale(values).where(ids == self.config.num_token_id, 1.0)
        return (embeddings * factors.to(embeddings.device).unsqueeze(-1)).to(embeddings.dtype)

    def _base_output(self, inputs: dict[str, Any]) -> tuple[Any, Tensor]:
        """The base's output without a loss, and the head's predictions at the same positions, scaled."""
        inputs.pop("labels", None)
        seen: list[Tensor] = []
        # What the output head reads: normalised, scaled and cut to `logits_to_keep` as the base does it.
        handle = self.get_output_embeddings().register_forward_pre_hook(lambda _, args: seen.append(args[0]))
        try:
            base = super().forward(**inputs, return_dict=True)
        finally:
            handle.remove()
        return base, self.number_head(seen[0])

    def _with_decoder_numbers(self, inputs: dict[str, Any], number_labels: Tensor | None) -> dict[str, Any]:
        """The decoder of an encoder-decoder reads the numbers of the labels where it reads the labels."""
        completed = self._with_decoder_ids(inputs)
        is_shifted = completed.get("decoder_input_ids") is not inputs.get("decoder_input_ids")
        if is_shifted and number_labels is not None:
            completed["decoder_number_values"] = F.pad(number_labels[:, :-1], (1, 0), value=1.0)
        return completed

    def _checked(self, values: Tensor | None, ids: Tensor, name: str) -> Tensor:
        if values is not None:
            if values.shape != ids.shape:
                raise ValueError(f"`{name}` has the shape {list(values.shape)}, and the token ids {list(ids.shape)}.")
            return values.to(ids.device)
        # Reading this back stalls the device; batches with numbers, in training, do not get here.
        if bool((ids == self.config.num_token_id).any()):
            raise ValueError(f"There is a [NUM] among the tokens: give its number in `{name}`, of the same shape.")
        return torch.ones(ids.shape, device=ids.device)


def check_settings(num_token_id: Any, number_weight: float, scaling: Any = None) -> None:
    """Raise `ValueError` without a token id for `[NUM]`, or for a weight or a config's scaling that is none."""
    if type(num_token_id) is not int or num_token_id < 0:
        raise ValueError(f"`num_token_id` is {num_token_id!r}; it must be the token id of [NUM].")
    if not is_number(number_weight) or number_weight < 0:
        raise ValueError(f"`number_weight` is {number_weight!r}; it must be a number that is not negative.")
    NumberScaling.from_dict(scaling or {})
