"""Pictures in the trackers that `report_to` names, read back from what the real packages write; no network."""

import logging
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from ntl_hf.plots.trackers import PictureTrackers
from tests.plots.tracked import train
from tests.processes import run_module

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

NAMES = ("confusion", "calibration", "position")
TAGS = {f"plots/eval/{name}" for name in NAMES}


def pngs(folder: Path) -> list[bytes]:
    """All PNG files below a folder, as they are."""
    return sorted(path.read_bytes() for path in folder.rglob("*.png"))


def test_tensorboard(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    train(tmp_path, "tensorboard")
    [events] = tmp_path.rglob("events.out.tfevents.*")
    reader = EventAccumulator(str(events))
    reader.Reload()
    assert set(reader.Tags()["images"]) == TAGS
    for tag in TAGS:
        [image] = reader.Images(tag)
        assert image.step == 2 and image.width > 500
    # In the same file as the metrics.
    assert "eval/number_mae" in reader.Tags()["scalars"]


@pytest.mark.slow
def test_wandb(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    import wandb

    try:
        train(tmp_path, "wandb")
        summary = dict(wandb.run.summary)
    finally:
        wandb.finish()
    assert summary.keys() >= TAGS
    assert summary["train/global_step"] == 2
    assert pngs(tmp_path / "wandb") == pngs(tmp_path / "out" / "plots")


@pytest.mark.slow
def test_trackio(tmp_path):
    pytest.importorskip("trackio", reason="trackio is not installed")
    # It reads its folder from the environment when it is imported.
    done = run_module("tests.plots.tracked", [tmp_path, "trackio"], env={"TRACKIO_DIR": str(tmp_path / "trackio")})
    assert done.returncode == 0, done.stderr
    assert pngs(tmp_path / "trackio") == pngs(tmp_path / "out" / "plots")


@pytest.mark.slow
def test_mlflow(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    # Without SQLAlchemy, which the small package `mlflow-skinny` leaves out, runs are kept as files.
    store = (tmp_path / "runs").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    try:
        train(tmp_path, "mlflow")
        [run] = mlflow.MlflowClient(store).search_runs(["0"])
    finally:
        mlflow.set_tracking_uri(None)
    kept = Path(unquote(urlparse(run.info.artifact_uri).path)) / "plots"
    assert sorted(path.name for path in kept.iterdir()) == sorted(f"000002-eval-{name}.png" for name in NAMES)


def test_nothing_goes_to_trackers_that_are_not_named(tmp_path, monkeypatch):
    logged = []
    loggers = {name: lambda *_, name=name: logged.append(name) for name in ("wandb", "mlflow")}
    monkeypatch.setattr("ntl_hf.plots.trackers._LOGGERS", loggers)
    PictureTrackers(["mlflow"], []).log({}, 1)
    train(tmp_path, "none")
    assert logged == ["mlflow"] and len(pngs(tmp_path / "out" / "plots")) == len(NAMES)


def test_a_tracker_that_fails_is_warned_about_once(tmp_path, monkeypatch, caplog):
    logged = []

    def fail(*_):
        raise OSError("no network")

    loggers = {"wandb": fail, "trackio": lambda pictures, step, _: logged.append((dict(pictures), step))}
    monkeypatch.setattr("ntl_hf.plots.trackers._LOGGERS", loggers)
    trackers = PictureTrackers(["wandb", "trackio", "comet_ml"], [])
    with caplog.at_level(logging.WARNING):
        for step in (1, 2):
            trackers.log({"plots/eval/confusion": tmp_path / "a.png"}, step)
    assert [record.getMessage() for record in caplog.records] == [
        "The plots could not be logged to wandb: OSError: no network"
    ]
    assert logged == [({"plots/eval/confusion": tmp_path / "a.png"}, step) for step in (1, 2)]
