"""The arguments that say how numbers go through a model."""

from dataclasses import dataclass

from ...settings.checks import check_choice, check_number, setting
from ...systems.scaling import KINDS

SYSTEMS = ("standard", "rt", "xval", "regression_head")
ENCODINGS = ("log", "float", "none")
PLACES = (-9, 12)


@dataclass
class SystemArguments:
    """How numbers go in and out of a model: as tokens like any others, or as one of the systems to compare with."""

    system: str = setting(
        "standard",
        "'standard': tokens like any others. 'rt': the Regression Transformer, a token for a digit and "
        "its place. 'xval': one token for all numbers, scaled by the value, and a number head. 'regression_head': "
        "a number head instead of text.",
        choices=list(SYSTEMS),
    )
    rt_places: list[int] = setting(  # noqa: RUF009 (a field, whatever its type)
        list(PLACES), "rt: the lowest and the highest decimal place, such as -2 6 for 0.01 to 9999999.99."
    )
    rt_encoding: str = setting(
        "log",
        "rt: added to the embeddings of numbers: 'float', the value; 'log', its logarithm; 'none'.",
        choices=list(ENCODINGS),
    )
    rt_largest: float = setting(3e9, "rt: the value whose encoding is 10; with 'float' about the largest number.")
    rt_place_values: bool = setting(
        False, "rt: to the number loss, a token is worth digit * 10^place instead of its digit."
    )
    number_scaling: str | None = setting(
        None,
        "xval, regression_head: 'range', to [-5, 5] by the largest number in training (the default of "
        "xval); 'signed_log', sign(x) * log10(|x| + 1); 'none' (the default of regression_head).",
        choices=list(KINDS),
    )
    number_weight: float = setting(1.0, "xval: the weight of the number head's squared error beside cross entropy.")

    def __post_init__(self) -> None:
        for name, known in (("system", SYSTEMS), ("rt_encoding", ENCODINGS), ("number_scaling", KINDS)):
            if getattr(self, name) is not None:
                check_choice(name, getattr(self, name), known)
        if len(self.rt_places) != 2:
            raise ValueError(f"`rt_places` is {self.rt_places}; give two places, such as -2 and 6.")
        check_number("number_weight", self.number_weight)
        if self.rt_place_values and self.system != "rt":
            raise ValueError("`rt_place_values` is an option of `system: rt`; remove it.")
        self._check_belonging()

    def _check_belonging(self) -> None:
        """An option of another system is refused, not passed over: whoever sets one expects it to act."""
        for name, default in DEFAULTS.items():
            owners = [system for system, options in OPTIONS.items() if name in options]
            if self.system not in owners and getattr(self, name) != default:
                of = " and ".join(f"`system: {owner}`" for owner in owners)
                raise ValueError(f"`{name}` is an option of {of}; remove it.")


# What each system takes of its own; `rt_place_values` is of its loss, and nothing that a model keeps.
OPTIONS: dict[str, tuple[str, ...]] = {
    "standard": (),
    "rt": ("rt_places", "rt_encoding", "rt_largest"),
    "xval": ("number_scaling", "number_weight"),
    "regression_head": ("number_scaling",),
}
DEFAULTS = {name: getattr(SystemArguments, name, list(PLACES)) for names in OPTIONS.values() for name in names}
