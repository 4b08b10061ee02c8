"""The facts of each loss, one row a loss: what is allowed with it, what it has to see, and what it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LossFacts:
    """What is known of a loss by its name; `losses.terms` has what computes it.

    Attributes:
        description: a few words for help texts.
        in_paper: whether it is one of the paper's, arXiv 2411.02083.
        allows_reweigh: whether it has a largest value, which `reweigh` charges for mass off the numbers.
        reads_text: whether it has to know where a token stands in its number, and not just the token.
        needs_mass: whether it depends on the probability that the number tokens have together.
        takes_place_weights: whether `place_weights` weigh it: not what brings its own, or has no place.
    """

    description: str
    in_paper: bool = False
    allows_reweigh: bool = False
    reads_text: bool = False
    needs_mass: bool = False
    takes_place_weights: bool = True


LOSS_FACTS = {
    "was": LossFacts("Wasserstein-1 distance to the truth", in_paper=True, allows_reweigh=True),
    "mse": LossFacts("squared error of the expected value", in_paper=True, allows_reweigh=True),
    "mae": LossFacts("absolute error of the expected value", in_paper=True, allows_reweigh=True),
    "huber": LossFacts("Huber loss of the expected value", in_paper=True, allows_reweigh=True),
    "lp": LossFacts("|error of the expected value| ** p", in_paper=True, allows_reweigh=True),
    "crps": LossFacts("continuous ranked probability score"),
    "energy": LossFacts("energy score"),
    "mmd": LossFacts("maximum mean discrepancy"),
    "smmd": LossFacts("the same, smoothed"),
    "dist2": LossFacts("divergence from soft targets around the truth"),
    "del": LossFacts("digit entropy", reads_text=True, takes_place_weights=False),
    "raft": LossFacts("regression-aware fine-tuning, for answers of one token", reads_text=True, needs_mass=True),
    "number": LossFacts("error of the whole number", reads_text=True, takes_place_weights=False),
}
LOSSES = tuple(LOSS_FACTS)
# Those that `reweigh` is allowed for.
BOUNDED_LOSSES = tuple(name for name, facts in LOSS_FACTS.items() if facts.allows_reweigh)
