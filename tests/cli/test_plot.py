"""`ntl-hf plot`: what it writes and prints, and what it refuses."""

import json
import math

import pytest

from ntl_hf.cli.main import main
from ntl_hf.plots.curves import draw_curves, find_state, read_curves
from tests.build import make_trainer
from tests.tiny import tiny_model

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

COMPONENTS = ["ce_loss", "ntl_loss", "number_mae", "number_mass"]


def is_picture(path):
    from matplotlib.image import imread

    return imread(path).std() > 0.05


def write_state(folder, step, *log):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step, "log_history": log}))


def test_landscape(tmp_path, capsys):
    path = tmp_path / "new" / "a.png"
    words = ["--true_digit", "7", "--losses", "ce", "was", "squashed", "mse", "--output", str(path)]
    assert main(["plot", "landscape", *words]) == 0
    assert capsys.readouterr().out.strip() == str(path) and is_picture(path)


def test_landscape_into_the_folder_where_one_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["plot", "landscape", "--losses", "ce"]) == 0
    assert is_picture("landscape.png")


def test_a_run_of_the_command_line(recipe, tmp_path, capsys):
    """Trained with the pictures, which are drawn again elsewhere from the numbers that were kept."""
    words = ["--ntl_plots", "true", "--eval_strategy", "steps", "--eval_steps", "1", "--logging_steps", "1"]
    assert main(["sft", "--config", recipe(), *words]) == 0
    kept = tmp_path / "out" / "plots"
    assert {path.name for path in kept.glob("*.json")} == {"000001-eval.json", "000002-eval.json"}
    capsys.readouterr()

    again = tmp_path / "again"
    assert main(["plot", "run", str(tmp_path / "out"), "--output", str(again)]) == 0
    names = [f"000002-eval-{name}.png" for name in ("confusion", "calibration", "position")]
    assert capsys.readouterr().out.split() == [str(again / name) for name in ("curves.png", *names)]
    assert is_picture(again / "curves.png")
    for name in names:
        assert (again / name).read_bytes() == (kept / name).read_bytes()

    assert main(["plot", "run", str(tmp_path / "out"), "--output", str(again), "--every_step"]) == 0
    assert len(list(again.glob("*.png"))) == 7

    # A checkpoint is left as it was.
    before = sorted((tmp_path / "out" / "checkpoint-1").iterdir())
    capsys.readouterr()
    assert main(["plot", "run", str(tmp_path / "out" / "checkpoint-1")]) == 0
    assert sorted((tmp_path / "out" / "checkpoint-1").iterdir()) == before
    assert capsys.readouterr().out.splitlines() == [str(kept / "curves-checkpoint-1.png")]


def test_the_curves_are_what_was_logged(tmp_path):
    from ntl_hf import NTLTrainer

    trainer = make_trainer(
        NTLTrainer, tiny_model(), tmp_path, max_steps=4, eval_strategy="steps", eval_steps=2, logging_steps=2
    )
    trainer.train()
    trainer.save_state()
    curves = read_curves(find_state(tmp_path))
    assert list(curves) == COMPONENTS
    for name, sets in curves.items():
        assert list(sets) == ["training", "eval"]
        for where, key in (("training", name), ("eval", f"eval_{name}")):
            logged = [(line["step"], line[key]) for line in trainer.state.log_history if key in line]
            assert sets[where] == logged and [step for step, _ in logged] == [2, 4]


def test_curves_of_several_sets_without_empty_windows(tmp_path):
    log = [
        {"step": 1, "ce_loss": 2.0, "number_mae": math.nan, "loss": 3.0},
        {"step": 2, "eval_hard_ce_loss": 1.5, "eval_easy_ce_loss": 1.0, "eval_easy_number_mae": 0.5},
        {"step": 3, "ntl_crps_loss": 1.0, "train_loss": 2.0},
    ]
    write_state(tmp_path, 3, *log)
    curves = read_curves(tmp_path / "trainer_state.json")
    assert curves == {
        "ce_loss": {"training": [(1, 2.0)], "eval_hard": [(2, 1.5)], "eval_easy": [(2, 1.0)]},
        "number_mae": {"eval_easy": [(2, 0.5)]},
    }
    panels = [panel for panel in draw_curves(curves).axes if panel.get_visible()]
    assert [len(panel.lines) for panel in panels] == [3, 1]
    assert [panel.get_ylabel() for panel in panels] == [
        "Cross entropy (nats/token)",
        "Mean |expected value - true value|",
    ]


def test_the_state_with_the_most_steps_is_read(tmp_path):
    line = {"step": 1, "ce_loss": 1.0}
    for name, step in (("checkpoint-9", 9), ("checkpoint-10", 10)):
        write_state(tmp_path / name, step, line)
    assert find_state(tmp_path).parent.name == "checkpoint-10"
    write_state(tmp_path, 12, line)
    assert find_state(tmp_path).parent == tmp_path
    write_state(tmp_path / "checkpoint-20", 20, line)
    assert find_state(tmp_path).parent.name == "checkpoint-20"


REFUSED = {
    "no folder": (["run", "{tmp}/nowhere"], "there is no folder"),
    "no logs": (["run", "{tmp}/empty"], "has no `trainer_state.json`"),
    "not a state": (["run", "{tmp}/broken"], "is not the state of a Trainer"),
    "another package's run": (["run", "{tmp}/stock"], "has logged none of ce_loss, ntl_loss"),
    "no digit": (["landscape", "--true_digit", "10"], "10 is no digit: choose 0 to 9"),
    "unknown loss": (["landscape", "--losses", "ce", "wos"], "'wos' is no loss. Did you mean 'was'"),
    "not a picture": (["landscape", "--losses", "ce", "--output", "{tmp}/a.xyz"], "xyz"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_one_line(case, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    write_state(tmp_path / "stock", 1, {"step": 1, "loss": 2.0})
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "trainer_state.json").write_text("{oops")
    words, message = REFUSED[case]
    assert main(["plot", *(word.format(tmp=tmp_path) for word in words)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("ntl-hf: error: ") and message in err and len(err.splitlines()) == 1


def test_kept_numbers_that_cannot_be_read(tmp_path, capsys):
    write_state(tmp_path, 1, {"step": 1, "ce_loss": 2.0})
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "000001-eval.json").write_text("[]")
    assert main(["plot", "run", str(tmp_path)]) == 2
    assert "000001-eval.json does not hold the numbers of an evaluation" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["landscape"], ["run", "."]])
def test_without_matplotlib(words, capsys, monkeypatch):
    monkeypatch.setattr("ntl_hf.plots.find_spec", lambda name: None)
    assert main(["plot", *words]) == 2
    assert "`ntl-hf plot` needs matplotlib: pip install 'ntl-hf[plots]'" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["plot", "--help"], ["plot", "landscape", "--help"], ["plot", "run", "--help"]])
def test_help(words, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
