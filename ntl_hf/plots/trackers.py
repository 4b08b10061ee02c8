"""Pictures for the experiment trackers that `report_to` names: TensorBoard, Weights & Biases, trackio, MLflow."""

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path

from transformers import TrainerCallback
from transformers.integrations import TensorBoardCallback

logger = logging.getLogger(__name__)

Pictures = Mapping[str, Path]
# As in transformers' own callbacks, so that both have the same axis.
_STEP = "train/global_step"


class PictureTrackers:
    """Hands pictures to trackers; one that fails is warned about once, and the training goes on.

    Args:
        report_to: names of trackers, as `TrainingArguments.report_to` has them; others than the four are passed over.
        callbacks: those of the trainer, among them what writes to TensorBoard.
    """

    def __init__(self, report_to: Iterable[str], callbacks: Iterable[TrainerCallback]) -> None:
        self._names = [name for name in report_to if name in _LOGGERS]
        self._callbacks = callbacks
        self._failed: set[str] = set()

    def log(self, pictures: Pictures, step: int) -> None:
        """Log PNG files under their tags, at an optimizer step. For the main process, after the Trainer's own log."""
        for name in self._names:
            try:
                _LOGGERS[name](pictures, step, self._callbacks)
            # Whatever a tracker raises, its network included: the pictures are in the run's folder anyway.
            except Exception as error:
                if name not in self._failed:
                    logger.warning("The plots could not be logged to %s: %s: %s", name, type(error).__name__, error)
                self._failed.add(name)


def _log_to_tensorboard(pictures: Pictures, step: int, callbacks: Iterable[TrainerCallback]) -> None:
    from matplotlib.image import imread

    for callback in callbacks:
        writer = getattr(callback, "tb_writer", None) if isinstance(callback, TensorBoardCallback) else None
        if writer is not None:
            for tag, path in pictures.items():
                writer.add_image(tag, imread(path)[..., :3], step, dataformats="HWC")
            writer.flush()


def _log_media(tracker: str, pictures: Pictures, step: int, callbacks: Iterable[TrainerCallback]) -> None:
    library = import_module(tracker)
    library.log({**{tag: library.Image(str(path)) for tag, path in pictures.items()}, _STEP: step})


def _log_to_mlflow(pictures: Pictures, step: int, callbacks: Iterable[TrainerCallback]) -> None:
    import mlflow

    for path in pictures.values():  # whose names tell the step
        mlflow.log_artifact(str(path), artifact_path="plots")


_LOGGERS: dict[str, Callable[[Pictures, int, Iterable[TrainerCallback]], None]] = {
    "tensorboard": _log_to_tensorboard,
    "wandb": partial(_log_media, "wandb"),
    "trackio": partial(_log_media, "trackio"),
    "mlflow": _log_to_mlflow,
}
