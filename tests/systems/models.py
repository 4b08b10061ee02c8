"""Tiny models of the two systems that change embeddings, and checkpoints of their bases."""

from pathlib import Path
from typing import Any

import torch

from ntl_hf.systems.adapted import adapted_classes
from ntl_hf.systems.regression_transformer.model import regression_transformer_config
from ntl_hf.systems.scaling import NumberScaling
from ntl_hf.systems.xval.model import xval_config
from tests.tiny import tiny_model

# Of 64 ids of the tiny models; tests/tiny.py's tokenizer uses 52.
BLOCK = {"first_id": 14, "low": -2, "high": 1}
DIGITS = range(14, 54)
NUM = 60


def regression_transformer(
    base: Any = "llama", encoding: str = "log", largest: float = 100.0, tokens: Any = BLOCK
) -> Any:
    """A model with the weights of `base`, or of the tiny model of this name."""
    base = tiny_model(base) if isinstance(base, str) else base
    return _with_weights(base, regression_transformer_config(base.config, tokens, encoding, largest))


def xval(name: str = "llama", scaling: NumberScaling | None = None, number_weight: float = 1.0) -> Any:
    """A model with the weights of `tiny_model(name)`, and a number head with weights that matter."""
    base = tiny_model(name)
    model = _with_weights(base, xval_config(base.config, NUM, scaling, number_weight))
    with torch.no_grad():
        for parameter in model.number_head.parameters():
            parameter.normal_(0, 0.3, generator=torch.Generator().manual_seed(1))
    return model


def _with_weights(base: Any, config: Any) -> Any:
    model = adapted_classes(config.model_type.removesuffix(f"_{base.config.model_type}"), base.config.model_type)[1](
        config
    )
    found = model.load_state_dict(base.state_dict(), strict=False)
    assert not found.unexpected_keys and all("number_head" in key for key in found.missing_keys)
    return model.train()


def base_folder(folder: Path, name: str, **overrides: Any) -> Path:
    """A saved base checkpoint."""
    tiny_model(name, **overrides).save_pretrained(folder)
    return folder


def token_ids(low: int, high: int, shape: tuple[int, int] = (3, 8), seed: int = 0) -> torch.Tensor:
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed))


def gradients(model: Any, **batch: Any) -> dict[str, torch.Tensor]:
    model.zero_grad()
    model(**batch).loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
