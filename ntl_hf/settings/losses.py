"""The facts of each loss, one row a loss: what is allowed with it, what it has to see, and what it is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LossFacts:
    """What is known of a loss by its name; `losses.terms` has what computes it.

    Attributes:
        description: a few words for help texts.
        unit: of its values: "values", those of the number tokens, or a power of them, "nats" or "none".
        proper: what the true distribution q is to the expected loss: "strictly", its only minimiser; "yes", one of
            several; "no", none.
        in_paper: whether it is one of the paper's, arXiv 2411.02083.
        settings: the fields of `NTLConfig` that change this loss.
        reads_text: whether it has to know where a token stands in its number, and not just the token.
        needs_mass: whether it depends on the probability that the number tokens have together.
        takes_place_weights: whether `place_weights` weigh it: not what brings its own, or has no place.
    """

    description: str
    unit: str
    proper: str
    in_paper: bool = False
    settings: tuple[str, ...] = ()
    reads_text: bool = False
    needs_mass: bool = False
    takes_place_weights: bool = True

    @property
    def allows_reweigh(self) -> bool:
        """Whether it has a largest value, which `reweigh` charges for mass off the numbers."""
        return "reweigh" in self.settings


LOSS_FACTS = {
    "was": LossFacts(
        "Wasserstein-1 distance to the truth",
        unit="values",
        proper="no",
        in_paper=True,
        settings=("squash_factor", "gaussian_sigma", "reweigh"),
    ),
    "mse": LossFacts(
        "squared error of the expected value", unit="values^2", proper="yes", in_paper=True, settings=("reweigh",)
    ),
    "mae": LossFacts(
        "absolute error of the expected value", unit="values", proper="no", in_paper=True, settings=("reweigh",)
    ),
    "huber": LossFacts(
        "Huber loss of the expected value",
        unit="values^2",
        proper="no",
        in_paper=True,
        settings=("huber_delta", "reweigh"),
    ),
    "lp": LossFacts(
        "|error of the expected value| ** p", unit="values^p", proper="no", in_paper=True, settings=("p", "reweigh")
    ),
    "crps": LossFacts("continuous ranked probability score", unit="values", proper="strictly"),
    "energy": LossFacts("energy score", unit="values^beta", proper="strictly", settings=("energy_beta",)),
    "mmd": LossFacts("maximum mean discrepancy", unit="none", proper="strictly", settings=("kernel_sigma",)),
    "smmd": LossFacts("the same, smoothed", unit="none", proper="strictly", settings=("kernel_sigma",)),
    "dist2": LossFacts(
        "divergence from soft targets around the truth", unit="nats", proper="no", settings=("dist2_temperature",)
    ),
    "del": LossFacts("digit entropy", unit="nats", proper="no", reads_text=True, takes_place_weights=False),
    "raft": LossFacts(
        "regression-aware fine-tuning, for answers of one token",
        unit="values^2",
        proper="yes",
        settings=("raft_grid",),
        reads_text=True,
        needs_mass=True,
    ),
    "number": LossFacts(
        "error of the whole number",
        unit="none, nats or the numbers'",
        proper="no",
        settings=("number_error",),
        reads_text=True,
        takes_place_weights=False,
    ),
}
LOSSES = tuple(LOSS_FACTS)
# Those that `reweigh` is allowed for.
BOUNDED_LOSSES = tuple(name for name, facts in LOSS_FACTS.items() if facts.allows_reweigh)
