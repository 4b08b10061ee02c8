"""The Regression Transformer: any language model, with the values of its digit tokens added to their embeddings."""

from math import log
from typing import Any

import torch
from torch import Tensor

from ...settings.checks import is_number
from ...tokens.placed_digits import NumberTokens
from ..adapted import System
from ..embeds import EmbeddingMixin
from ..loading import adapted_config, load_adapted
from .tokenizer import MOST_PLACES

ENCODINGS = ("float", "log", "none")
# Values up to the largest are encoded within [-10, 10].
_LIMIT = 10.0
_NAME = "regression_transformer"


def read_number_tokens(settings: Any) -> NumberTokens:
    """The digit tokens that a model's config describes by `first_id`, `low` and `high`.

    Args:
        settings: a mapping with the three, or `NumberTokens`.

    Raises:
        ValueError: one of them is missing, or they do not describe a block of ids.
    """
    given = settings if isinstance(settings, dict) else getattr(settings, "__dict__", {})
    names = ("first_id", "low", "high")
    if not all(type(given.get(name)) is int for name in names):
        raise ValueError(f"`number_tokens` must have the whole numbers {', '.join(names)}, not {settings!r}.")
    tokens = NumberTokens(*(given[name] for name in names))
    if tokens.first_id < 0 or not -MOST_PLACES <= tokens.low <= 0 <= tokens.high <= MOST_PLACES:
        raise ValueError(
            f"`number_tokens` are {vars(tokens)}: the places must have `low` <= 0 <= `high`, within {MOST_PLACES} of "
            "0, and the first id must not be negative."
        )
    return tokens


def digit_values(tokens: NumberTokens, ids: Tensor) -> Tensor:
    """digit * 10^place of each token, of the shape of `ids`, float32; 0 for tokens that are no digits."""
    return tokens.digit(ids).clamp(min=0).float() * torch.pow(10.0, tokens.place(ids).float())


def check_encoding(encoding: str, largest: float, width: int) -> None:
    """Raise `ValueError` for an unknown encoding, a `largest` that is not positive, or embeddings of odd width."""
    if encoding not in ENCODINGS:
        raise ValueError(f"`number_encoding` must be one of {', '.join(ENCODINGS)}, not '{encoding}'.")
    if not is_number(largest) or largest <= 0:
        raise ValueError(f"`number_encoding_largest` is {largest!r}; it must be a positive number.")
    if encoding == "log" and largest <= 1:
        raise ValueError(f"`number_encoding_largest` is {largest}; for the encoding 'log' it must be above 1.")
    if encoding != "none" and width % 2:
        raise ValueError(f"Number encodings need embeddings of even width, not {width}: take another model or 'none'.")


def float_encoding(values: Tensor, width: int, largest: float, is_log: bool = False) -> Tensor:
    """Encode values in vectors: dimension j, counted from 0, holds +-v / (2 * (j // 2) + 1) * 10 / largest.

    The sign is plus for even j. This is the float encoding of Born and Manica 2023 (Nature Machine Intelligence,
    doi 10.1038/s42256-023-00639-z) as in the authors' code, github.com/IBM/regression-transformer. A digit 0 is
    encoded as zeros at any place. With `is_log`, x = +-v / (2 * (j // 2) + 1) becomes
    sign(x) * log10(|x| + 1) * 10 / log10(largest), as in the code of the Number Token Loss,
    github.com/tum-ai/number-token-loss: without it, all but the largest places vanish beside the embeddings.

    Args:
        values: v, `[...]`.
        width: number of dimensions, even.
        largest: the value that is encoded as 10 in dimension 0; with `is_log`, above 1.
        is_log: compress the values.

    Returns:
        `[..., width]`, float32.

    Raises:
        ValueError: an odd width, or a `largest` that is too small.
    """
    check_encoding("log" if is_log else "float", largest, width)
    dimensions = torch.arange(width, device=values.device)
    signs = 1.0 - 2.0 * (dimensions % 2)
    encoded = values.float().unsqueeze(-1) * (signs / (dimensions - dimensions % 2 + 1))
    if is_log:
        return encoded.sign() * encoded.abs().log1p() * (_LIMIT / log(largest))
    return encoded * (_LIMIT / largest)


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
    return load_adapted(
        name_or_path,
        lambda base_config: regression_transformer_config(base_config, tokens, encoding, largest),
        tokens.digit_ids,
        tokenizer_size,
        from_scratch,
        **options,
    )
