"""The settings of a quickstart, and the training runs that they ask for."""

from dataclasses import dataclass

# Name -> weight of the number loss. One seed is trained with each in turn, all else equal.
VARIANTS = {"CE": 0.0, "CE + NTL": 0.3}


@dataclass(frozen=True)
class Settings:
    """Sizes chosen so that the whole takes about three minutes on two CPU cores."""

    seeds: int = 3
    steps: int = 500
    batch_size: int = 64
    learning_rate: float = 1e-3
    hidden_size: int = 128
    layers: int = 3
    train_rows: int = 4000
    test_rows: int = 1000
    curve_rows: int = 200  # of the test rows, scored again and again for the learning curves
    evaluations: int = 10

    @property
    def eval_steps(self) -> int:
        """Steps from one point of a learning curve to the next."""
        return max(1, self.steps // self.evaluations)


@dataclass(frozen=True)
class Cell:
    """One training run."""

    task: str
    variant: str
    seed: int


def debug_settings(seeds: int, steps: int) -> Settings:
    """The same path in seconds; its scores mean nothing."""
    return Settings(
        seeds=seeds, steps=steps, batch_size=8, hidden_size=32, layers=1, train_rows=64, test_rows=32, curve_rows=16,
        evaluations=2,
    )
