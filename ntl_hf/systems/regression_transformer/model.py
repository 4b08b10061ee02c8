"""The Regression Transformer: any language model, with the values of its digit tokens added to their embeddings."""

from typing import Any

from torch import Tensor

from ...tokens.placed_digits import NumberTokens
from ..adapted import System
from ..embeds import EmbeddingMixin
from ..from_base import adapted_config, load_adapted
from .encodings import check_encoding, digit_values, float_encoding, read_number_tokens

_NAME = "regression_transformer"


class RegressionTransformerMixin(EmbeddingMixin):
    """Adds number encodings to the embeddings of digit tokens (Born and Manica 2023); see `float_encoding`.

    They are made of the token ids in every forward: nothing of them is stored, trained or saved.

    Raises:
        ValueError: the config has no digit tokens, or its settings make no sense.
    """

    def __init__(self, config: Any, *args: Any, **kwargs: Any) -> None:
        read_number_tokens(config.number_tokens)
        super().__init__(config, *args, **kwargs)
        width = self.get_input_embeddings().weight.shape[1]
        check_encoding(config.number_encoding, config.number_encoding_largest, width)

    def forward(self, **inputs: Any) -> Any:
        """The base's forward on embeddings with numbers; the arguments are those of the base."""
        return super().forward(**self._embedded(inputs))

    def with_numbers(self, embeddings: Tensor, ids: Tensor, values: Tensor | None) -> Tensor:
        encoding = self.config.number_encoding
        if encoding == "none":
            return embeddings
        worth = digit_values(NumberTokens(**self.config.number_tokens), ids)
        encoded = float_encoding(
            worth, embeddings.shape[-1], self.config.number_encoding_largest, is_log=encoding == "log"
        )
        return embeddings + encoded.to(embeddings)


SYSTEM = System(
    name=_NAME,
    title="RegressionTransformer",
    mixin=RegressionTransformerMixin,
    fields={
        "number_tokens": (dict | None, None),
        "number_encoding": (str, "log"),
        "number_encoding_largest": (float | int, 3e9),
    },
)


def regression_transformer_config(
    base_config: Any, number_tokens: Any, encoding: str = "log", largest: float = 3e9
) -> Any:
    """The config of a Regression Transformer on a base architecture.

    Args:
        base_config: config of a decoder-only or encoder-decoder language model.
        number_tokens: `first_id`, `low` and `high` of the block of digit tokens, as a mapping or attributes.
        encoding: "float", as in the paper; "log", as in the code of the Number Token Loss; or "none", tokens alone.
        largest: the value that is encoded as 10.

    Raises:
        ValueError: settings that make no sense, or a base that cannot be used, see `adapted_config`.
    """
    tokens = read_number_tokens(number_tokens)
    check_encoding(encoding, largest, 2)
    return adapted_config(
        _NAME,
        base_config,
        number_tokens=vars(tokens).copy(),
        number_encoding=encoding,
        number_encoding_largest=float(largest),
    )


def load_regression_transformer(
    name_or_path: str,
    number_tokens: Any,
    tokenizer_size: int,
    encoding: str = "log",
    largest: float = 3e9,
    from_scratch: bool = False,
    **options: Any,
) -> Any:
    """A Regression Transformer with the weights of a base checkpoint; rows of new tokens are drawn at random.

    Args:
        name_or_path: the base checkpoint.
        number_tokens: see `regression_transformer_config`.
        encoding: see `regression_transformer_config`.
        largest: see `regression_transformer_config`.
        tokenizer_size: `len` of the tokenizer with digit tokens.
        from_scratch: initialise all weights; of the checkpoint, only the config is read.
        options: of `from_pretrained`.

    Raises:
        ValueError: the digit tokens are not among those of the tokenizer, or see `regression_transformer_config`.
    """
    tokens = read_number_tokens(number_tokens)
    last = tokens.first_id + 10 * (tokens.high - tokens.low + 1) - 1
    if last >= tokenizer_size:
        raise ValueError(
            f"The digit tokens {tokens.first_id} to {last} are beyond the {tokenizer_size} tokens of the tokenizer; "
            "pass `len(tokenizer)` of the one that has them."
        )
    return load_adapted(
        name_or_path,
        lambda base_config: regression_transformer_config(base_config, tokens, encoding, largest),
        range(tokens.first_id, tokenizer_size),
        from_scratch,
        **options,
    )
