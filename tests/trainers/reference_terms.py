"""The other losses over the tokens of a batch, each written out in float64, and nothing of the library."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from tests.losses.replacements import replaced
from tests.reference import DIGIT_IDS
from tests.tiny import CHARACTERS, SPECIAL
from tests.tokens.number_layout.reference import NOTHING, Place, find, layout

DIGITS = torch.arange(10.0).double()
DISTANCES = (DIGITS[:, None] - DIGITS[None, :]).abs()
# What the loss of a whole number looks at: number tokens, points, commas and signs.
WATCHED = [*DIGIT_IDS, *(len(SPECIAL) + CHARACTERS.index(mark) for mark in "-.,")]
SETTINGS = {"energy_beta": 1.5, "kernel_sigma": 1.5, "dist2_temperature": 0.7, "place_base": 1.3}


class TermSums:
    """Sum of weights times terms over a batch; keeps the sums of the terms of all batches.

    Args:
        weights: by name of the loss.
        by_place: whether tokens are weighed by their place.
    """

    def __init__(self, weights: Mapping[str, float], by_place: bool = False) -> None:
        self.weights, self.by_place = weights, by_place
        self.sums = dict.fromkeys(weights, 0.0)
        self.numbers = 0

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        total = 0.0 * logits.sum()
        for row, row_labels in zip(logits, labels, strict=True):
            text = "".join(NOTHING if i < len(SPECIAL) else CHARACTERS[i - len(SPECIAL)] for i in row_labels.tolist())
            places = layout(text, [None if c == NOTHING else (i, i + 1) for i, c in enumerate(text)])
            for name, weight in self.weights.items():
                term = _number(row, text) if name == "number" else self._of_tokens(name, row, text, places)
                self.sums[name] += float(term.detach())
                total = total + weight * term
            self.numbers += sum(c.isdigit() for c in text)
        return total

    def _of_tokens(self, name: str, logits: Tensor, text: str, places: list[Place | None]) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for t, place in enumerate(places):
            if place is None or not text[t].isdigit():
                continue
            k = place.place
            loss = (
                _raft(logits[t], int(text[t]), place)
                if name == "raft"
                else _LOSSES[name](logits[t, DIGIT_IDS[0] : DIGIT_IDS[-1] + 1], int(text[t]))
            )
            if name == "del":
                loss = loss * (2 * (k + 1) if k >= 0 else 1.02 ** (k - 1))
            elif self.by_place:
                loss = loss * SETTINGS["place_base"] ** k
            total = total + loss
        return total


def _residual(z: Tensor, y: int) -> Tensor:
    return z.softmax(-1) - torch.nn.functional.one_hot(torch.tensor(y), 10)


def _was(z: Tensor, y: int) -> Tensor:
    return (z.softmax(-1) * DISTANCES[y]).sum()


def _crps(z: Tensor, y: int) -> Tensor:
    below = z.softmax(-1).cumsum(-1)
    return sum((below[k] - (1.0 if y <= k else 0.0)) ** 2 for k in range(9))


def _energy(z: Tensor, y: int) -> Tensor:
    p, distances = z.softmax(-1), DISTANCES ** SETTINGS["energy_beta"]
    return (p * distances[y]).sum() - (p[:, None] * p[None, :] * distances).sum() / 2


def _kernel() -> Tensor:
    return torch.exp(-(DISTANCES**2) / (2 * SETTINGS["kernel_sigma"] ** 2))


def _mmd(z: Tensor, y: int) -> Tensor:
    r = _residual(z, y)
    return (r[:, None] * _kernel() * r[None, :]).sum()


def _smmd(z: Tensor, y: int) -> Tensor:
    r, kernel = _residual(z, y), _kernel()
    rough = (kernel * (r[:, None] - r[None, :]) ** 2).sum() / 2
    return _mmd(z, y) + rough / (2 * kernel.sum(-1).mean())


def _dist2(z: Tensor, y: int) -> Tensor:
    target = torch.softmax(-(DISTANCES[y]) / SETTINGS["dist2_temperature"], -1)
    return (target * (target.log() - z.log_softmax(-1))).sum()


def _del(z: Tensor, y: int) -> Tensor:
    p, s = z.softmax(-1), z.sigmoid()
    costs = [-(s[j] if j == y else 1 - s[j]).log() for j in range(10)]
    return sum(p[j] * costs[j] for j in range(10)) / 10


def _raft(logits: Tensor, y: int, place: Place) -> Tensor:
    if place.whole_digits + place.fraction_digits > 1 or place.is_negative:
        return 0.0 * logits.sum()
    return ((logits.softmax(-1)[list(DIGIT_IDS)] * DIGITS).sum() - y) ** 2


def _number(logits: Tensor, text: str) -> Tensor:
    """The relative error of each number, once for each of its digits."""
    total = torch.zeros((), dtype=torch.float64)
    for number in find(text):
        tokens, y = list(number.text), float(number.value)
        e = torch.tensor(y, dtype=torch.float64)
        for t in range(len(tokens)):
            probs = logits[number.start + t, WATCHED].softmax(-1)
            for p, new in zip(probs, "0123456789-.,", strict=True):
                if new != tokens[t]:
                    e = e + p * float(replaced(tokens, t, new) - number.value)
        unit = 10.0 ** -len(number.fraction)
        error = (e - y).abs() / max(e.abs(), torch.tensor(max(abs(y), unit), dtype=torch.float64))
        total = total + sum(c.isdigit() for c in number.text) * error
    return total


_LOSSES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "was": _was,
    "crps": _crps,
    "energy": _energy,
    "mmd": _mmd,
    "smmd": _smmd,
    "dist2": _dist2,
    "del": _del,
}
