"""What the demo computes: the tokens of a sentence, which of them are numbers, and what a loss charges for each digit.

No interface in here. Everything comes out of `ntl_hf.NTLoss`, one call on full logits, as in a training loop.
"""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor

from ntl_hf import NTLoss, NumberVocab
from ntl_hf.data.number_text import read_number
from ntl_hf.tokens.number_vocab import NoNumberTokensError

MOST_CHARACTERS, MOST_DIGITS = 200, 30
# Label in the page -> settings of `NTLoss`. Without "raft", which is for answers of a single token.
LOSSES: dict[str, dict[str, Any]] = {
    "was: Wasserstein-1, the paper's": {"loss": "was"},
    "was, squashed by a factor of 2": {"loss": "was", "squash_factor": 2.0},
    "mse: squared error of the expected value": {"loss": "mse"},
    "mae: absolute error of the expected value": {"loss": "mae"},
    "huber: squared, then linear": {"loss": "huber"},
    "lp: cubed error of the expected value": {"loss": "lp", "p": 3.0},
    "crps: of the distribution, proper": {"loss": "crps"},
    "energy: the same with beta 1.5": {"loss": "energy", "energy_beta": 1.5},
    "mmd: Gaussian kernel": {"loss": "mmd"},
    "smmd: smoothed kernel": {"loss": "smmd"},
    "dist2: soft targets": {"loss": "dist2"},
    "del: digit entropy": {"loss": "del"},
    "number: of the whole number, relative": {"loss": "number"},
}
# What is left for tokens that get no mass.
_OUTSIDE = -1e4
# A picture needs no more points; a vocabulary of groups of digits has a thousand values.
_MOST_POINTS, _CHUNK = 61, 8


class InputError(ValueError):
    """What was typed cannot be looked at; the message says what to do."""


@dataclass(frozen=True)
class Token:
    """One token of the sentence.

    Attributes:
        shown: its text, with a dot for every space.
        value: what it is worth; None where it is no number token.
        in_number: whether it is part of the true number.
    """

    shown: str
    value: float | None
    in_number: bool


@dataclass(frozen=True)
class Reading:
    """A sentence as a tokenizer cuts it.

    Attributes:
        ids: token ids, `[T]`, int64.
        tokens: the same for people.
        span: first token of the true number, and the one after its last.
        choices: positions of the number tokens in the true number.
    """

    ids: Tensor
    tokens: tuple[Token, ...]
    span: tuple[int, int]
    choices: tuple[int, ...]


@dataclass(frozen=True)
class Point:
    """A predicted number: its value, whether it is the true one, and what cross entropy and the number loss charge."""

    value: float
    is_true: bool
    ce: float
    ntl: float


@dataclass(frozen=True)
class Beliefs:
    """What the model says at one token.

    Attributes:
        ce, ntl: its losses there.
        mean_ce, mean_ntl: means over the number tokens of the true number.
        mass: probability of all number tokens.
        expected: expected value among the number tokens.
        probs: probability of each value.
    """

    ce: float
    ntl: float
    mean_ce: float
    mean_ntl: float
    mass: float
    expected: float
    probs: dict[float, float]


class Lens:
    """One tokenizer, its model if there is one, and one choice of what counts as a number.

    Args:
        tokenizer: a fast tokenizer.
        model: the decoder that belongs to it, or None.
        digits_only: single digits alone are numbers.

    Raises:
        InputError: the tokenizer has no number tokens.
    """

    def __init__(self, tokenizer: Any, model: Any = None, digits_only: bool = True) -> None:
        self.tokenizer, self.model, self.digits_only = tokenizer, model, digits_only
        try:
            self.vocab = NumberVocab.from_tokenizer(tokenizer, digits_only)
        except NoNumberTokensError as error:
            raise InputError(str(error)) from error

    @lru_cache(maxsize=32)  # noqa: B019 (there are few of them, and they live as long as the app)
    def loss(self, name: str) -> NTLoss:
        """The number loss of that label in `LOSSES`."""
        return NTLoss(self.tokenizer, digits_only=self.digits_only, **LOSSES[name])

    @cached_property
    def values(self) -> dict[int, float]:
        """What each number token is worth, by its id."""
        return dict(zip(self.vocab.ids.tolist(), self.vocab.values.tolist(), strict=True))

    def read(self, sentence: str, number: str) -> Reading:
        """Cut the sentence into tokens, and find the last place where it says the number.

        Raises:
            InputError: an empty or too long sentence, a number that cannot be read or is not in the sentence.
        """
        begin, end = _place(sentence, number)
        encoded = self.tokenizer(sentence, add_special_tokens=False, return_offsets_mapping=True)
        ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
        self._check_length(len(ids))
        inside = [start < end and stop > begin for start, stop in offsets]
        members = [position for position, is_inside in enumerate(inside) if is_inside]
        names = self.tokenizer.convert_ids_to_tokens(ids)
        tokens = tuple(
            Token(self._shown(i, name), self.values.get(i), is_inside)
            for i, name, is_inside in zip(ids, names, inside, strict=True)
        )
        choices = tuple(position for position in members if tokens[position].value is not None)
        return Reading(torch.tensor(ids), tokens, (members[0], members[-1] + 1), choices)

    def landscape(self, reading: Reading, position: int, loss: str, confidence: float) -> list[Point]:
        """What is charged at one token of the true number for each number that could be predicted in its place.

        The prediction has `confidence` as its probability, and the other numbers share the rest evenly. All other
        tokens of the true number are predicted without doubt: only the loss of whole numbers looks at them.

        Args:
            reading: of `read`.
            position: one of its `choices`.
            loss: one of `LOSSES`.
            confidence: above 0 and below 1.
        """
        true_id = int(reading.ids[position])
        ids = torch.tensor(self._one_token_each(true_id))
        predicted = _thinned(len(ids), ids.tolist().index(true_id))
        points: list[Point] = []
        for start in range(0, len(predicted), _CHUNK):
            columns = torch.tensor(predicted[start : start + _CHUNK])
            points += self._points(reading, position, loss, _beliefs(columns, len(ids), confidence), ids, columns)
        return points

    def _points(
        self, reading: Reading, position: int, loss: str, beliefs: Tensor, ids: Tensor, columns: Tensor
    ) -> list[Point]:
        begin, end = reading.span
        labels, at = reading.ids[begin:end], position - begin
        rows = torch.full((len(columns), len(labels), len(self.tokenizer)), _OUTSIDE)
        rows[:, torch.arange(len(labels)), labels] = 0.0
        # DEL depends on where the logits stand: around 0.
        logits = beliefs.log()
        rows[:, at] = _OUTSIDE
        rows[:, at, ids] = logits - logits.mean(-1, keepdim=True)
        ntl = self.loss(loss)(rows, labels.expand(len(columns), -1), reduction="none")[:, at]
        ce = -beliefs[:, ids == labels[at]].log()[:, 0]
        found = zip(ids[columns].tolist(), ce.tolist(), ntl.tolist(), strict=True)
        return [Point(self.values[i], i == int(labels[at]), a, b) for i, a, b in found]

    @torch.no_grad()
    def beliefs(self, reading: Reading, position: int, loss: str) -> Beliefs | None:
        """What the model says at one of the `choices` of the reading; None without a model."""
        if self.model is None:
            return None
        ids = torch.cat([torch.tensor([self.tokenizer.bos_token_id]), reading.ids])[None]
        logits = self.model(ids[:, :-1]).logits.float()
        labels = ids[:, 1:]
        ntl = self.loss(loss)(logits, labels, reduction="none")[0]
        log_probs = logits.log_softmax(-1)[0]
        ce = -log_probs.gather(-1, labels[0][:, None])[:, 0]
        expected, mass = self.loss(loss).predict_numbers(logits)
        probs: dict[float, float] = {}
        for i, value in self.values.items():
            probs[value] = probs.get(value, 0.0) + float(log_probs[position, i].exp())
        numbers = list(reading.choices)
        means = float(ce[numbers].mean()), float(ntl[numbers].mean())
        at = float(ce[position]), float(ntl[position])
        return Beliefs(*at, *means, float(mass[0, position]), float(expected[0, position]), probs)

    def _one_token_each(self, true_id: int) -> list[int]:
        """A token id for each value, ascending: written like the true token as far as there is one, and shortest."""
        names = dict(zip(self.vocab.ids.tolist(), self.vocab.tokens, strict=True))
        mark = _mark(names[true_id])
        best: dict[float, int] = {}
        for i in sorted(names, key=lambda i: (_mark(names[i]) != mark, len(names[i]))):
            best.setdefault(self.values[i], i)
        best[self.values[true_id]] = true_id
        return [best[value] for value in sorted(best)]

    def _shown(self, token_id: int, name: str) -> str:
        text = self.tokenizer.decode([token_id], clean_up_tokenization_spaces=False)
        if _mark(name) and not text.startswith(" "):
            text = " " + text
        return text.replace(" ", "·").replace("\n", "↵").replace("\t", "→") or name

    def _check_length(self, tokens: int) -> None:
        if self.model is not None and tokens > self.model.config.max_position_embeddings:
            most = self.model.config.max_position_embeddings
            raise InputError(f"These are {tokens} tokens, and the small model reads {most}. Write a shorter sentence.")


def _place(sentence: str, number: str) -> tuple[int, int]:
    """Where the sentence says the number: the last place, as characters."""
    number = number.strip()
    if not sentence.strip():
        raise InputError("The sentence is empty. Type one with its number in it, such as 23+17=40.")
    if len(sentence) > MOST_CHARACTERS:
        raise InputError(f"The sentence has {len(sentence)} characters. Write at most {MOST_CHARACTERS}.")
    if not number:
        raise InputError("The true number is empty. Type the number of the sentence that is to be predicted.")
    if len(number) > MOST_DIGITS:
        raise InputError(f"The true number has {len(number)} characters. Write at most {MOST_DIGITS}.")
    if read_number(number) is None:
        raise InputError(f"“{number}” cannot be read as a number. Write it in digits, such as 40, -3.5 or 1,250.")
    # Not the 4 of 140 or of 4.5.
    places = re.finditer(rf"(?<![0-9])(?<![0-9][.,]){re.escape(number)}(?![0-9])(?![.,][0-9])", sentence)
    spans = [match.span() for match in places]
    if not spans:
        raise InputError(f"The sentence does not say “{number}”. Write the true number in it as it is written below.")
    return spans[-1]


def _mark(name: str) -> str:
    """The mark of a leading space, or nothing."""
    return name[0] if name[:1] in ("Ġ", "▁", " ") else ""


def _beliefs(columns: Tensor, size: int, confidence: float) -> Tensor:
    """Rows `[n, size]` with `confidence` in the given column, and the rest evenly in the others."""
    rows = torch.full((len(columns), size), (1 - confidence) / max(size - 1, 1))
    return rows.scatter(1, columns[:, None], confidence)


def _thinned(size: int, true: int) -> list[int]:
    """Columns to look at: all, or so many of them, with the true one, its neighbours and both ends."""
    if size <= _MOST_POINTS:
        return list(range(size))
    near = {true + sign * step for step in (0, 1, 10, 100) for sign in (-1, 1)}
    even = torch.linspace(0, size - 1, _MOST_POINTS).round().int().tolist()
    return sorted({*even, *(column for column in near if 0 <= column < size)})
