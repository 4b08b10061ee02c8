"""What the tokens of a Regression Transformer are worth to a number loss, with their places."""

from typing import Any

import torch

from ...tokens.number_vocab import NumberVocab
from ...tokens.placed_digits import NumberTokens

# Beyond it, the far places drown all others, and the loss of a model that knows nothing is that many times too large.
_MOST = 1e4


def place_value_vocab(tokenizer: Any, squash_factor: float | None = None) -> NumberVocab:
    """The tokens `_d_p_`, each worth d * 10^p; `NumberVocab.from_tokenizer` has them worth d.

    Args:
        tokenizer: from `regression_transformer_tokenizer`.
        squash_factor: of the loss that they are for.

    Raises:
        ValueError: the tokenizer has no such tokens, or the values are above 10,000 and no `squash_factor` brings
            their distances into a range.
    """
    tokens = NumberTokens.from_tokenizer(tokenizer)
    if squash_factor is None and 9 * 10.0**tokens.high > _MOST:
        raise ValueError(
            f"With their places, tokens are worth up to {9 * 10.0**tokens.high:g}, and the number loss is as large. "
            "Set `ntl_squash_factor`, such as 9, narrow `rt_places`, or leave the places out (`rt_place_values: "
            "false`)."
        )
    worth = {
        tokens.first_id + (place - tokens.low) * 10 + digit: digit * 10.0**place
        for place in range(tokens.low, tokens.high + 1)
        for digit in range(10)
    }
    ids = sorted(worth, key=lambda token_id: (worth[token_id], token_id))
    values = torch.tensor([worth[token_id] for token_id in ids], dtype=torch.float32)
    return NumberVocab(torch.tensor(ids), values, tuple(tokenizer.convert_ids_to_tokens(ids)))
