"""A training whose pictures go to a tracker; `python -m tests.plots.tracked FOLDER TRACKER` is one in a process."""

import sys
from pathlib import Path

from ntl_hf import NTLTrainer
from tests.build import make_trainer
from tests.tiny import tiny_model


def train(folder: Path, report_to: str) -> None:
    """Two steps, and an evaluation after the second."""
    trainer = make_trainer(
        NTLTrainer,
        tiny_model(),
        folder / "out",
        ntl_plots=True,
        max_steps=2,
        eval_strategy="steps",
        eval_steps=2,
        report_to=report_to,
        run_name="a-run",
    )
    trainer.train()


if __name__ == "__main__":
    train(Path(sys.argv[1]), sys.argv[2])
