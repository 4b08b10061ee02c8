"""Generation with numbers: the value of each new `[NUM]` is what the number head said, and is read from there on."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import GenerationConfig
from transformers.generation import GenerationMode

_Base: Any = object


class NumberSteps(_Base):
    """The part of an xVal model that takes numbers along in `generate`.

    Beam search and assisted generation are refused: they reorder or discard tokens, and not the numbers beside them.
    """

    _supported_generation_modes = (GenerationMode.GREEDY_SEARCH, GenerationMode.SAMPLE)

    def prepare_inputs_for_generation(self, **inputs: Any) -> dict[str, Any]:
        """The base's, with the numbers of the positions that are read in this step.

        Raises:
            ValueError: there are not as many numbers as token ids, or they are read in chunks.
        """
        name, ids = self._values_name, inputs["input_ids"]
        values = inputs.pop(name, None)
        prepared: dict[str, Any] = super().prepare_inputs_for_generation(**inputs)
        read = prepared.get("decoder_input_ids" if self.config.is_encoder_decoder else "input_ids")
        if values is None or read is None:
            return prepared
        missing = ids.shape[1] - values.shape[1]
        if missing < 0 or (missing and inputs.get("is_first_iteration")):
            raise ValueError(
                f"`{name}` has the shape {list(values.shape)}, and the token ids {list(ids.shape)}: give a number for "
                "each token, 1 where it is no [NUM], and leave `prefill_chunk_size` unset."
            )
        # A prompt without numbers may come without values: those of new tokens are the last.
        prepared[name] = F.pad(values, (missing, 0), value=1.0)[:, -read.shape[1] :]
        return prepared

    def _update_model_kwargs_for_generation(
        self, outputs: Any, model_kwargs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        model_kwargs = super()._update_model_kwargs_for_generation(outputs, model_kwargs, *args, **kwargs)
        known, new = model_kwargs.get(self._values_name), outputs.number_predictions[:, -1:]
        model_kwargs[self._values_name] = new if known is None else torch.cat([known, new], dim=1)
        return model_kwargs

    @property
    def _values_name(self) -> str:
        return "decoder_number_values" if self.config.is_encoder_decoder else "number_values"


@torch.no_grad()
def generate_with_numbers(
    model: Any,
    input_ids: Tensor,
    attention_mask: Tensor | None = None,
    number_values: Tensor | None = None,
    generation_config: GenerationConfig | None = None,
    **options: Any,
) -> tuple[Tensor, Tensor]:
    """Generate greedily or by sampling.

    Args:
        model: an xVal model, adapted or not.
        input_ids: prompts, `[B, T]`, for decoders padded on the left.
        attention_mask: `[B, T]`.
        number_values: the number at each `[NUM]`, `[B, T]`, float32; not needed where there is none.
        generation_config: the model's own by default.
        options: of `generate`.

    Returns:
        The new token ids, `[B, new]`, and the number at each, `[B, new]`, float32, NaN where it is no `[NUM]`.

    Raises:
        ValueError: beam search or another way that is not supported, or prompts with `[NUM]` without their numbers.
    """
    config = generation_config or model.generation_config
    if (options.get("num_beams") or getattr(config, "num_beams", None) or 1) > 1:
        raise ValueError("xVal generates greedily or by sampling, not by beam search: set `num_beams` to 1.")
    base = model.get_base_model() if hasattr(model, "peft_config") else model
    steps: list[Tensor] = []
    handle = base.register_forward_hook(lambda *call: steps.append(call[-1].number_predictions[:, -1]))
    try:
        given = {"input_ids": input_ids, "attention_mask": attention_mask, "number_values": number_values}
        sequences = model.generate(**given, generation_config=generation_config, **options)
    finally:
        handle.remove()
    prompt = 1 if base.config.is_encoder_decoder else input_ids.shape[1]
    new_ids = getattr(sequences, "sequences", sequences)[:, prompt:]
    values = torch.stack(steps[: new_ids.shape[1]], dim=1).to(new_ids.device)
    return new_ids, values.where(new_ids == base.config.num_token_id, torch.nan)
