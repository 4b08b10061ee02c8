"""What holds for each loss: the table that the tests check and that `docs/losses.md` shows.

    python -m tests.losses.properties

prints it for the page.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor

from ntl_hf.losses import gaussian_kernel

# The defaults, but for those that would be another loss: "lp" with p 2 is "mse", "energy" with beta 1 is "crps".
OTHERS: dict[str, dict[str, Any]] = {"lp": {"p": 3.0}, "energy": {"energy_beta": 1.5}}


@dataclass(frozen=True)
class Properties:
    """What is expected of one loss L, over number tokens that hold all of the mass.

    Attributes:
        proper: what the true distribution q is to the expected loss: "strictly", its only minimiser; "yes", one of
            several; "no", none.
        divergence: KL(q || p*) for the p* that minimises CE + 0.3 L in expectation, nats, mean over `random_truths`.
        bound: the largest value as a function of the values, and how the page writes it; None where there is none.
        zero: where L is 0: at certainty of the "truth" alone, "also elsewhere", or "not at the truth".
        degree: L(c v) = c^degree L(v); None where there is none.
    """

    proper: str
    divergence: float
    convex: bool
    convex_in_logits: bool
    bound: tuple[Callable[[Tensor], float], str] | None
    zero: str
    ignores_value_shift: bool = True
    ignores_logit_shift: bool = True
    degree: float | None = None


def _range(values: Tensor) -> float:
    return (values.max() - values.min()).item()


def _power(exponent: float, text: str) -> tuple[Callable[[Tensor], float], str]:
    return lambda values: _range(values) ** exponent, text


def _largest_mmd(values: Tensor) -> float:
    return 2 - 2 * gaussian_kernel(values)[0, -1].item()


def _largest_smmd(values: Tensor) -> float:
    kernel = gaussian_kernel(values)
    degree = kernel.sum(0)
    gaps = [(degree[i] + degree[j], 2 - 2 * kernel[i, j]) for i, j in product(range(len(values)), repeat=2) if i != j]
    return max((gap + (both - gap) / (2 * degree.mean())).item() for both, gap in gaps)


TRUTH, ELSEWHERE, NOWHERE = "truth", "also elsewhere", "not at the truth"
_ONE = (lambda values: 1.0, "1 (2 with a minus)")
_HUBER = (lambda values: _range(values) - 0.5, "delta (R - delta / 2)")

TABLE = {
    "was": Properties("no", 0.021, True, False, _power(1, "R"), TRUTH, degree=1),
    "mse": Properties("yes", 0, True, False, _power(2, "R^2"), ELSEWHERE, degree=2),
    "mae": Properties("no", 0.0027, True, False, _power(1, "R"), ELSEWHERE, degree=1),
    "huber": Properties("no", 0.0038, True, False, _HUBER, ELSEWHERE),
    "lp": Properties("no", 0.0053, True, False, _power(3, "R^p"), ELSEWHERE, degree=3),
    "crps": Properties("strictly", 0, True, False, _power(1, "R"), TRUTH, degree=1),
    "energy": Properties("strictly", 0, True, False, _power(1.5, "R^beta"), TRUTH, degree=1.5),
    "mmd": Properties("strictly", 0, True, False, (_largest_mmd, "2 (1 - K(R))"), TRUTH),
    "smmd": Properties("strictly", 0, True, False, (_largest_smmd, "2.75 on digits"), TRUTH),
    "dist2": Properties("no", 0.012, True, True, None, NOWHERE),
    "del": Properties("no", 3.5e-5, False, False, None, ELSEWHERE, ignores_logit_shift=False, degree=0),
    "raft": Properties("yes", 0, True, False, _power(2, "R^2"), ELSEWHERE, degree=2),
    "number": Properties("no", 0.00058, False, False, _ONE, ELSEWHERE, ignores_value_shift=False),
}
SETTINGS = {name: {"loss": name, **OTHERS.get(name, {})} for name in TABLE}

_HEAD = (
    "`loss`|proper|CE + 0.3 L, nats from the truth|convex in p|convex in logits|largest|0 at|values + c|logits + c|"
    "values × c"
)


def random_truths(n: int = 6) -> Tensor:
    """True distributions over the ten digits, `[n, 10]`, float64: uniform over all that there are."""
    generator = torch.Generator().manual_seed(0)
    exponential = -torch.rand(n, 10, generator=generator, dtype=torch.float64).log()
    return exponential / exponential.sum(-1, keepdim=True)


def render() -> str:
    """The table in Markdown."""
    heads = _HEAD.split("|")
    rows = [heads, ["---"] * len(heads), *(_row(name, each) for name, each in TABLE.items())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(name: str, of: Properties) -> list[str]:
    settings = "".join(f", {key.removeprefix('energy_')} {value:g}" for key, value in OTHERS.get(name, {}).items())
    yes = {True: "yes", False: "no"}
    return [
        f"`{name}`{settings}",
        of.proper,
        f"{of.divergence:.2g}",
        yes[of.convex],
        yes[of.convex_in_logits],
        of.bound[1] if of.bound else "none",
        of.zero,
        "same" if of.ignores_value_shift else "differs",
        "same" if of.ignores_logit_shift else "differs",
        "differs" if of.degree is None else f"c^{of.degree:g}",
    ]


if __name__ == "__main__":
    print(render())
