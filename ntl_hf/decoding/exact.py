"""The probability of every answer of a list, exactly: the trie of their tokens, walked in batches."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from .stepper import State, Stepper
from .trie import Trie


def candidate_log_probs(
    model: Any, tokenizer: Any, prompts: Sequence[Sequence[int]], trie: Trie, ends: Sequence[int], batch_size: int
) -> Tensor:
    """log p(candidate and then the end | prompt), `[prompts, candidates]`, float64, nats.

    What candidates begin with in common is run once a prompt, and a prompt itself once: ten digits three times are
    1,110 rows of one token each, `batch_size` of them at a time.

    Args:
        model: a decoder or an encoder-decoder, in evaluation mode.
        tokenizer: its tokenizer, with a padding token.
        prompts: token ids.
        trie: of the candidates.
        ends: the tokens that end an answer; their probabilities are added up.
        batch_size: rows at a time. The model's cache is kept for these many at every token of a candidate.
    """
    walk = _Walk(Stepper(model, tokenizer), trie, ends, batch_size, len(prompts))
    with tqdm(total=len(prompts), desc="Scoring the candidates", unit="row") as bar:
        for rows in _batches(prompts, batch_size, walk.stepper.takes_padding):
            state = walk.stepper.start([prompts[row] for row in rows])
            walk.descend(state, rows, [0] * len(rows), torch.zeros(len(rows), dtype=torch.float64))
            bar.update(len(rows))
    return walk.log_probs


def _batches(prompts: Sequence[Sequence[int]], batch_size: int, takes_padding: bool) -> Iterator[list[int]]:
    """Rows of similar length, the longest first, as in generation; of equal length where padding would be read."""
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    batch: list[int] = []
    for row in order:
        fits = takes_padding or not batch or len(prompts[row]) == len(prompts[batch[0]])
        if len(batch) == batch_size or not fits:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


class _Walk:
    """Depth first in parts of `batch_size` rows, so that memory grows with a candidate's length, not their number."""

    def __init__(self, stepper: Stepper, trie: Trie, ends: Sequence[int], batch_size: int, prompts: int) -> None:
        self.stepper, self.trie, self.batch_size = stepper, trie, batch_size
        self.ends = torch.tensor(list(ends), device=stepper.model.device)
        self.log_probs = torch.full((prompts, trie.count), -torch.inf, dtype=torch.float64)

    def descend(self, state: State, prompts: list[int], nodes: list[int], reached: Tensor) -> None:
        """Score what ends at these rows, and go on.

        Args:
            state: the rows.
            prompts, nodes: of each row, which prompt it belongs to, and where in the trie it is.
            reached: its log-probability so far, `[n]`.
        """
        log_probs = state.logits.log_softmax(-1)
        self._note_ends(log_probs[:, self.ends].logsumexp(-1).cpu() + reached, prompts, nodes)
        children = [(row, *pair) for row, node in enumerate(nodes) for pair in self.trie.children[node].items()]
        for start in range(0, len(children), self.batch_size):
            rows, tokens, below = zip(*children[start : start + self.batch_size], strict=True)
            parents, written = torch.tensor(rows), torch.tensor(tokens)
            ahead = log_probs[parents.to(log_probs.device), written.to(log_probs.device)].cpu()
            there = self.stepper.step(state, parents, written)
            self.descend(there, [prompts[row] for row in rows], list(below), reached[parents] + ahead)

    def _note_ends(self, ended: Tensor, prompts: list[int], nodes: list[int]) -> None:
        candidates = torch.tensor([self.trie.candidate[node] for node in nodes])
        here = candidates >= 0
        self.log_probs[torch.tensor(prompts)[here], candidates[here]] = ended[here]
