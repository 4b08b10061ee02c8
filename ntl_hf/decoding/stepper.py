"""One token after another, of many rows at once, each of which may go on in several ways."""

from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput
from transformers.utils import logging

from .generate import pad_prompts

logger = logging.get_logger(__name__)

# What models call their cache: transformers renamed it in 5.24, and drops the old name of the argument in 5.40. The
# new name first: an output with the new one warns of the old.
CACHE_NAMES = ("cache", "past_key_values")


def cache_argument(parameters: Collection[str]) -> str | None:
    """The argument of a forward pass that takes a cache; None for a model that takes none."""
    return next((name for name in CACHE_NAMES if name in parameters), None)


def cache_of(outputs: Any) -> Any:
    """The cache in a model's outputs; None if there is none."""
    return next((getattr(outputs, name, None) for name in CACHE_NAMES if hasattr(outputs, name)), None)


@dataclass(frozen=True)
class State:
    """Rows, and what comes next.

    Attributes:
        source, mask: prompts and their attention mask, `[n, S]`.
        path: what was written after the prompt, `[n, t]`; of an encoder-decoder, with its start token.
        logits: of the next token, `[n, V]`, float32 or float64.
        cache: the model's memory of all this; None for a model that takes none, which then reads everything again.
        encoded: what the encoder made of the prompts, `[n, S, H]`; None for a decoder.
    """

    source: Tensor
    mask: Tensor
    path: Tensor
    logits: Tensor
    cache: Any = None
    encoded: Tensor | None = None


class Stepper:
    """Feeds a model prompts and tokens.

    Args:
        model: a decoder or an encoder-decoder, in evaluation mode.
        tokenizer: its tokenizer, with a padding token.

    Raises:
        RuntimeError: from `start` and `step`, a model that takes a cache and gives none.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.is_seq2seq = bool(model.config.is_encoder_decoder)
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._name, self._known = type(base).__name__, set(signature(base.forward).parameters)
        self._cache_argument = cache_argument(self._known)
        if self._cache_argument is None:
            logger.warning_once(f"{self._name} takes no cache: it reads everything again for every new token.")
        # Of a prompt the last logits alone; and of experts no balancing loss, which does not go with a cache.
        options = {"logits_to_keep": 1, "output_router_logits": False}
        self._options = {name: value for name, value in options.items() if name in self._known}

    @property
    def takes_padding(self) -> bool:
        """Whether prompts of different lengths can be in one batch: a decoder has to be told the positions."""
        return self.is_seq2seq or "position_ids" in self._known

    @torch.inference_mode()
    def start(self, prompts: Sequence[Sequence[int]]) -> State:
        """Read prompts; of different lengths only where the model `takes_padding`."""
        batch = pad_prompts(self.model, self.tokenizer, prompts).to(self.model.device)
        source, mask = batch["input_ids"], batch["attention_mask"]
        path = source.new_zeros((len(source), 0))
        if self.is_seq2seq:
            own = self.model.generation_config.decoder_start_token_id
            path = torch.full_like(source[:, :1], self.model.config.decoder_start_token_id if own is None else own)
        return self._forward(source, mask, path)

    @torch.inference_mode()
    def step(self, state: State, rows: Tensor, tokens: Tensor) -> State:
        """Go on from some of the rows.

        Args:
            state: is left as it is.
            rows: which row each new one goes on from, `[m]`; any number of times.
            tokens: what comes next in it, `[m]`.
        """
        rows, tokens = rows.to(state.source.device), tokens.to(state.source.device)
        path = torch.cat([state.path[rows], tokens[:, None]], dim=1)
        cache = deepcopy(state.cache)
        if cache is not None:
            cache.reorder_cache(rows)
        encoded = None if state.encoded is None else state.encoded[rows]
        return self._forward(state.source[rows], state.mask[rows], path, cache, encoded)

    def _forward(
        self, source: Tensor, mask: Tensor, path: Tensor, cache: Any = None, encoded: Tensor | None = None
    ) -> State:
        inputs = self._inputs(source, mask, path, cache is None, encoded)
        if cache is not None and self._cache_argument is not None:
            inputs[self._cache_argument] = cache
        output = self.model(**inputs, **self._options, use_cache=True)
        logits = output.logits[:, -1]
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
        encoded = getattr(output, "encoder_last_hidden_state", None) if encoded is None else encoded
        return State(source, mask, path, logits, self._cache(output), encoded)

    def _cache(self, output: Any) -> Any:
        """What to go on from. A model that takes a cache and gives none would read everything again, unnoticed."""
        if self._cache_argument is None:
            return None
        cache = cache_of(output)
        if cache is None:
            raise RuntimeError(
                f"{self._name} takes a cache (`{self._cache_argument}`), and with `use_cache=True` its output "
                f"has none under {' or '.join(f'`{name}`' for name in CACHE_NAMES)}: every token would be as slow as "
                "the whole text. Is this version of transformers too new? Candidates from samples or beams go without."
            )
        return cache

    def _inputs(
        self, source: Tensor, mask: Tensor, path: Tensor, reads_all: bool, encoded: Tensor | None
    ) -> dict[str, Any]:
        new = slice(None) if reads_all else slice(-1, None)
        if self.is_seq2seq:
            inputs = {"attention_mask": mask, "decoder_input_ids": path[:, new]}
            if encoded is None:
                return inputs | {"input_ids": source}
            return inputs | {"encoder_outputs": BaseModelOutput(last_hidden_state=encoded)}
        inputs = {"input_ids": torch.cat([source, path], dim=1)[:, new]}
        # Without padding there is nothing to mask, and Mamba would take the whole mask for that of the new token.
        if self.takes_padding:
            mask = torch.cat([mask, torch.ones_like(path)], dim=1)
            inputs |= {"attention_mask": mask, "position_ids": (mask.cumsum(-1) - 1).clamp_min(0)[:, new]}
        return inputs
