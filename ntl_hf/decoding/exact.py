"""The probability of every answer of a list, exactly: the trie of their tokens, walked in batches."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .batches import longest_first
from .stepper import State, Stepper

Node = dict[int, Any]
"""What candidates begin with in common: next token to the node that it leads to; `_END` to the candidate that ends."""
_END = -1


def candidate_log_probs(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    candidates: Sequence[Sequence[int]],
    ends: Sequence[int],
    batch_size: int,
) -> Tensor:
    """log p(candidate and then the end | prompt), `[prompts, candidates]`, float64, nats.

    What candidates begin with in common is run once a prompt, and a prompt itself once: ten digits three times are
    1,110 rows of one token each, `batch_size` of them at a time.

    Args:
        model: a decoder or an encoder-decoder, in evaluation mode.
        tokenizer: its tokenizer, with a padding token.
        prompts: token ids.
        candidates: token ids, no two equal.
        ends: the tokens that end an answer; their probabilities are added up.
        batch_size: rows at a time. The model's cache is kept for these many at every token of a candidate.
    """
    stepper, root = Stepper(model, tokenizer), build_trie(candidates)
    walk = _Walk(stepper, ends, batch_size, torch.full((len(prompts), len(candidates)), -torch.inf).double())
    lengths = [len(prompt) for prompt in prompts]
    for rows in longest_first(lengths, batch_size, "Scoring the candidates", not stepper.takes_padding):
        state = stepper.start([prompts[row] for row in rows])
        walk.descend(state, rows, [root] * len(rows), torch.zeros(len(rows), dtype=torch.float64))
    return walk.log_probs


def build_trie(candidates: Sequence[Sequence[int]]) -> Node:
    """The node that all candidates begin at."""
    root: Node = {}
    for i, ids in enumerate(candidates):
        node = root
        for token in ids:
            node = node.setdefault(token, {})
        node[_END] = i
    return root


class _Walk:
    """Depth first in parts of `batch_size` rows, so that memory grows with a candidate's length, not their number."""

    def __init__(self, stepper: Stepper, ends: Sequence[int], batch_size: int, log_probs: Tensor) -> None:
        self._stepper, self._batch_size, self.log_probs = stepper, batch_size, log_probs
        self._ends = torch.tensor(list(ends), device=stepper.model.device)

    def descend(self, state: State, prompts: Sequence[int], nodes: Sequence[Node], reached: Tensor) -> None:
        """Score what ends at these rows, and go on.

        Args:
            state: the rows.
            prompts, nodes: of each row, which prompt it belongs to, and where in the trie it is.
            reached: its log-probability so far, `[n]`.
        """
        log_probs = state.logits.log_softmax(-1)
        ended = [row for row, node in enumerate(nodes) if _END in node]
        candidates = [nodes[row][_END] for row in ended]
        there = log_probs[:, self._ends].logsumexp(-1).cpu() + reached
        self.log_probs[[prompts[row] for row in ended], candidates] = there[ended]
        below = [(row, *pair) for row, node in enumerate(nodes) for pair in node.items() if pair[0] != _END]
        for start in range(0, len(below), self._batch_size):
            rows, tokens, next_nodes = zip(*below[start : start + self._batch_size], strict=True)
            parents, written = torch.tensor(rows), torch.tensor(tokens)
            ahead = log_probs[parents.to(log_probs.device), written.to(log_probs.device)].cpu()
            next_state = self._stepper.step(state, parents, written)
            self.descend(next_state, [prompts[row] for row in rows], next_nodes, reached[parents] + ahead)
