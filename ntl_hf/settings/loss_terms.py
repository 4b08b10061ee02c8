"""The terms of a number loss: `"crps:0.5+number:0.1"` as names and weights."""

import re
from dataclasses import dataclass
from typing import Any, NoReturn

from .checks import is_number, short
from .errors import did_you_mean
from .losses import LOSSES

# Not the one of an exponent: `was:1e+06`.
_SEPARATOR = re.compile(r"(?<![0-9.][eE])\+")
# As numbers are written in recipes; `float` also takes `1_0` and digits of other scripts.
_WEIGHT = re.compile(r"\s*\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
# Characters: more than all losses with their weights have.
_LONGEST = 1000


@dataclass(frozen=True)
class LossTerm:
    """One term of a number loss.

    Attributes:
        name: one of `LOSSES`.
        weight: its factor beside cross entropy, above 0; None where it takes the common one.
    """

    name: str
    weight: float | None = None

    def __str__(self) -> str:
        if self.weight is None:
            return self.name
        short = f"{self.weight:g}"
        return f"{self.name}:{short if float(short) == self.weight else repr(self.weight)}"


def parse_loss(setting: str, spec: Any) -> tuple[LossTerm, ...]:
    """The terms of `"crps:0.5+number:0.1"`, or of a list of such terms: `["crps:0.5", {"number": 0.1}]`.

    Args:
        setting: name of the setting, for messages.
        spec: the text or the list.

    Raises:
        ValueError: an unknown name, a weight that is no number above 0, a name that comes twice, or nothing at all;
            the message says at which character.
    """
    text, terms = _text(setting, spec), list[LossTerm]()
    if len(text) > _LONGEST:
        raise ValueError(f"`{setting}` has {len(text):,} characters; it must be a sum of a few losses.")

    def refuse(index: int, problem: str) -> NoReturn:
        raise ValueError(f"`{setting}` is {text!r}; at character {index + 1}: {problem}.")

    start = 0
    for part in _SEPARATOR.split(text):
        before, colon, weight = part.partition(":")
        name, value = before.strip(), _weight(weight)
        if not name:
            refuse(start, "a name is missing")
        if name not in LOSSES:
            hint = did_you_mean(name, LOSSES, cutoff=0.4)
            refuse(start, f"{name!r} is unknown.{hint} Choose one of: {', '.join(LOSSES)}")
        if colon and value is None:
            refuse(start + len(before) + 1, f"the weight {weight.strip()!r} is no number above 0")
        if name in [other.name for other in terms]:
            refuse(start, f"'{name}' comes twice")
        terms.append(LossTerm(name, value))
        start += len(part) + 1
    return tuple(terms)


def _weight(text: str) -> float | None:
    """A number above 0, else None."""
    value = float(text) if _WEIGHT.fullmatch(text) else 0.0
    return value if is_number(value) and value > 0 else None


def _text(setting: str, spec: Any) -> str:
    """A list is what YAML makes of one term a line, and a mapping of names with weights."""
    if isinstance(spec, str):
        return spec
    if isinstance(spec, dict):
        spec = [{name: weight} for name, weight in spec.items()]
    if not isinstance(spec, (list, tuple)) or not spec:
        raise ValueError(f"`{setting}` is {short(spec)}; it must be a text such as 'crps:0.5+number:0.1', or a list.")
    return "+".join(_item(setting, item) for item in spec)


def _item(setting: str, item: Any) -> str:
    if isinstance(item, dict) and len(item) == 1:
        return ":".join(str(part) for part in next(iter(item.items())))
    if isinstance(item, str):
        return item
    raise ValueError(f"`{setting}` has {short(item)} in its list; write terms such as 'crps:0.5'.")
