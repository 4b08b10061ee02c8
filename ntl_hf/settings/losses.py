"""The facts of each loss, one row a loss: what is allowed with it, and what it has to see."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LossFacts:
    """What is known of a loss by its name; `losses.terms` has what computes it.

    Attributes:
        in_paper: whether it is one of the paper's, arXiv 2411.02083.
        allows_reweigh: whether it has a largest value, which `reweigh` charges for mass off the numbers.
        reads_text: whether it has to know where a token stands in its number, and not just the token.
        needs_mass: whether it depends on the probability that the number tokens have together.
        takes_place_weights: whether `place_weights` weigh it: not what brings its own, or has no place.
    """

    in_paper: bool = False
    allows_reweigh: bool = False
    reads_text: bool = False
    needs_mass: bool = False
    takes_place_weights: bool = True


LOSS_FACTS = {
    "was": LossFacts(in_paper=True, allows_reweigh=True),
    "mse": LossFacts(in_paper=True, allows_reweigh=True),
    "mae": LossFacts(in_paper=True, allows_reweigh=True),
    "huber": LossFacts(in_paper=True, allows_reweigh=True),
    "lp": LossFacts(in_paper=True, allows_reweigh=True),
    "crps": LossFacts(),
    "energy": LossFacts(),
    "mmd": LossFacts(),
    "smmd": LossFacts(),
    "dist2": LossFacts(),
    "del": LossFacts(reads_text=True, takes_place_weights=False),
    "raft": LossFacts(reads_text=True, needs_mass=True),
    "number": LossFacts(reads_text=True, takes_place_weights=False),
}
LOSSES = tuple(LOSS_FACTS)
# Those that `reweigh` is allowed for.
BOUNDED_LOSSES = tuple(name for name, facts in LOSS_FACTS.items() if facts.allows_reweigh)
