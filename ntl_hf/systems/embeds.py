"""`EmbeddingMixin`: a model that looks its tokens up itself, and changes what it finds."""

from typing import Any

from torch import Tensor

# The other base of a mixed class is not known here.
_Base: Any = object
_SIDES = ("", "decoder_")


class EmbeddingMixin(_Base):
    """Stands before the class of a base model, which it hands embeddings instead of token ids.

    The lookup goes through the module of `get_input_embeddings()`, whatever stands in its place: peft's wrappers and
    the hook of `enable_input_require_grads` act as they do in the base model, and its output head stays as it is.
    Embeddings that the caller gives (`inputs_embeds`) pass untouched.
    """

    def with_numbers(self, embeddings: Tensor, ids: Tensor, values: Tensor | None) -> Tensor:
        """The embeddings of a system from those of its base, `[B, T, width]`.

        Args:
            embeddings: of the base, `[B, T, width]`, of any dtype, which the result has too.
            ids: `[B, T]`, int64.
            values: what the numbers are worth, `[B, T]`, in a system that reads numbers beside tokens.
        """
        raise NotImplementedError

    @classmethod
    def is_custom_code(cls) -> bool:
        """False: transformers is to treat the class as its own, with the base's initialisation and conversions."""
        return False

    def _embed(self, ids: Tensor, values: Tensor | None) -> Tensor:
        return self.with_numbers(self.get_input_embeddings()(ids), ids, values)

    def _embedded(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """The inputs of the base's forward: token ids, and the numbers beside them, replaced by embeddings."""
        inputs = self._with_decoder_ids(inputs)
        for side in _SIDES:
            ids, values = inputs.get(f"{side}input_ids"), inputs.pop(f"{side}number_values", None)
            # Both at once are left to the base, which refuses them.
            if ids is not None and inputs.get(f"{side}inputs_embeds") is None:
                inputs[f"{side}inputs_embeds"] = self._embed(ids, values)
                del inputs[f"{side}input_ids"]
        return inputs

    def _with_decoder_ids(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """A copy of the inputs, in which the decoder of an encoder-decoder reads the labels, shifted to the right."""
        labels = inputs.get("labels")
        given = any(inputs.get(name) is not None for name in ("decoder_input_ids", "decoder_inputs_embeds"))
        if labels is None or given or not self.config.is_encoder_decoder:
            return dict(inputs)
        return {**inputs, "decoder_input_ids": self.prepare_decoder_input_ids_from_labels(labels)}

    def _prepare_text_encoder_decoder_kwargs_for_generation(
        self, inputs_tensor: Tensor, model_kwargs: dict[str, Any], model_input_name: str | None, generation_config: Any
    ) -> dict[str, Any]:
        """`generate` calls the encoder of an encoder-decoder itself: hand it embeddings."""
        values = model_kwargs.pop("number_values", None)
        if model_input_name in (None, "input_ids"):
            inputs_tensor, model_input_name = self._embed(inputs_tensor, values), "inputs_embeds"
        result: dict[str, Any] = super()._prepare_text_encoder_decoder_kwargs_for_generation(
            inputs_tensor, model_kwargs, model_input_name, generation_config
        )
        return result
