"""The settings of a quickstart, and the training runs that they ask for."""

from dataclasses import dataclass, replace

# Name -> weight of the number loss. Each seed is trained with both, all else equal.
BASELINE, WITH_NTL = "CE", "CE + NTL"
VARIANTS = {BASELINE: 0.0, WITH_NTL: 0.3}


@dataclass(frozen=True)
class Cell:
    """One training run."""

    task: str
    variant: str
    seed: int


@dataclass(frozen=True)
class Settings:
    """Sizes that take about three minutes in all on two CPU cores; chosen on the scores of CE alone."""

    seeds: int = 3
    steps: int = 800
    batch_size: int = 48
    learning_rate: float = 2e-3
    hidden_size: int = 96
    layers: int = 2
    train_rows: int = 8000
    test_rows: int = 1000
    curve_rows: int = 200  # of the test rows, scored again and again for the learning curves
    evaluations: int = 10

    @property
    def eval_steps(self) -> int:
        """Steps from one point of a learning curve to the next."""
        return max(1, self.steps // self.evaluations)

    def cells(self, tasks: list[str]) -> list[Cell]:
        """All runs: the two that share a task and a seed stand side by side."""
        return [Cell(task, name, seed) for task in tasks for seed in range(self.seeds) for name in VARIANTS]


_DEBUG = Settings(
    seeds=2,
    steps=6,
    batch_size=8,
    hidden_size=32,
    layers=1,
    train_rows=64,
    test_rows=32,
    curve_rows=16,
    evaluations=3,
)


def make_settings(seeds: int | None = None, steps: int | None = None, debug: bool = False) -> Settings:
    """The defaults, or those of a debug run (the same path in seconds, scores without meaning), with what is given.

    Raises:
        ValueError: less than one seed or step.
    """
    for name, value in (("seeds", seeds), ("steps", steps)):
        if value is not None and value < 1:
            raise ValueError(f"`--{name}` is {value}; it must be 1 or more.")
    base = _DEBUG if debug else Settings()
    return replace(base, seeds=seeds or base.seeds, steps=steps or base.steps)
