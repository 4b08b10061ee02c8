"""xVal: any language model that reads and writes every number as one token, scaled by its value."""

from typing import Any

from ..adapted import System
from ..loading import adapted_config, load_adapted
from ..scaling import NumberScaling
from .mixin import XValMixin, check_settings

_NAME = "xval"

SYSTEM = System(
    name=_NAME,
    title="XVal",
    mixin=XValMixin,
    fields={
        "num_token_id": (int | None, None),
        "number_scaling": (dict | None, None),
        "number_weight": (float | int, 1.0),
    },
    parameters=(
        "number_values",
        "decoder_number_values",
        "number_labels",
        "num_items_in_batch",
        "num_numbers_in_batch",
    ),
)


def xval_config(
    base_config: Any, num_token_id: int, scaling: NumberScaling | None = None, number_weight: float = 1.0
) -> Any:
    """The config of an xVal model on a base architecture.

    Args:
        base_config: config of a decoder-only or encoder-decoder language model.
        num_token_id: the id of `[NUM]`.
        scaling: of the numbers; default: none.
        number_weight: of the squared error beside the cross entropy.

    Raises:
        ValueError: settings that make no sense, or a base that cannot be used, see `adapted_config`.
    """
    check_settings(num_token_id, number_weight)
    return adapted_config(
        _NAME,
        base_config,
        num_token_id=num_token_id,
        number_scaling=(scaling or NumberScaling()).to_dict(),
        number_weight=float(number_weight),
    )


def load_xval(
    name_or_path: str,
    num_token_id: int,
    tokenizer_size: int,
    scaling: NumberScaling | None = None,
    number_weight: float = 1.0,
    from_scratch: bool = False,
    **options: Any,
) -> Any:
    """An xVal model with the weights of a base checkpoint; number head and row of `[NUM]` are drawn at random.

    Args:
        name_or_path: the base checkpoint.
        num_token_id: see `xval_config`.
        scaling: see `xval_config`.
        number_weight: see `xval_config`.
        tokenizer_size: `len` of the tokenizer with `[NUM]`.
        from_scratch: initialise all weights; of the checkpoint, only the config is read.
        options: of `from_pretrained`. The number head stays in float32 for any `dtype`.

    Raises:
        ValueError: `[NUM]` is not among the tokens of the tokenizer, or see `xval_config`.
    """
    check_settings(num_token_id, number_weight)
    return load_adapted(
        name_or_path,
        lambda base_config: xval_config(base_config, num_token_id, scaling, number_weight),
        range(num_token_id, num_token_id + 1),
        tokenizer_size,
        from_scratch,
        **options,
    )
