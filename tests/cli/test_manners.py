"""How the command line behaves: help at 80 columns, streams, exit codes, colours, pipes and Ctrl-C."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import fields

import pytest

from ntl_hf.cli.main import main
from tests.processes import run_command
from tests.tiny import char_tokenizer

COMMAND = [sys.executable, "-m", "ntl_hf.cli.main"]
RECIPES = ("sft", "train", "evaluate")
HELPS = [
    *(
        [],
        ["quickstart"],
        ["inspect"],
        ["compare"],
        ["recipes"],
        ["recipes", "copy"],
        *([command] for command in RECIPES),
    ),
    *([command, "--help_all"] for command in RECIPES),
]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def tokenizer(tmp_path):
    char_tokenizer().save_pretrained(tmp_path / "tokenizer")
    return str(tmp_path / "tokenizer")


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "PYTHONUNBUFFERED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")


@contextmanager
def terminal():
    """A file that is a terminal, and a function that closes it and returns what was written to it."""
    reader, writer = os.openpty()
    parts = []

    def drain():
        # All the while: who writes to a full terminal waits.
        with contextlib.suppress(OSError):  # once nobody has the other end
            while part := os.read(reader, 65536):
                parts.append(part)

    thread = threading.Thread(target=drain, daemon=True)
    thread.start()
    file = os.fdopen(writer, "w", encoding="utf-8")

    def read():
        file.close()
        thread.join(60)
        return b"".join(parts).decode()

    yield file, read
    file.close()
    os.close(reader)


def on_a_terminal(words, monkeypatch):
    """Exit code of the command, and what it writes to a terminal that is both of its streams."""
    with terminal() as (file, read), monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", file)
        patch.setattr(sys, "stderr", file)
        return main(words), read()


@pytest.mark.parametrize("words", HELPS, ids=" ".join)
def test_help_fits_80_columns_and_goes_to_stdout(words, capsys):
    with pytest.raises(SystemExit) as end:
        main(words if "--help_all" in words else [*words, "--help"])
    out, err = capsys.readouterr()
    assert end.value.code == 0 and not err
    assert [line for line in out.splitlines() if len(line) > 80] == []
    assert "\x1b" not in out
    usage = f"usage: ntl-hf {words[0]} " if words else "usage: ntl-hf "
    assert out.startswith(usage)
    if words:
        assert f"examples:\n  ntl-hf {words[0]}" in out
        assert out.index("examples:") < out.index("\n  -h, --help")


@pytest.mark.parametrize("command", RECIPES)
def test_the_short_help_leaves_options_to_the_full_one(command, capsys):
    from importlib import import_module

    script = import_module(f"ntl_hf.runs.{command}")
    listed = {}
    for flag in ("--help", "--help_all"):
        with pytest.raises(SystemExit):
            main([command, flag])
        out = capsys.readouterr().out
        listed[flag] = re.findall(r"^  --(\w+)", out, re.MULTILINE)
        if flag == "--help":
            assert len(out.splitlines()) < 180
            left_out = int(re.search(r"--help_all lists (\d+) more options", out)[1])
    for options in listed.values():
        # `--debug` is two: without a value ours, with one that of transformers.
        names = [name for name in options if not name.startswith("no_") and name != "debug"]
        assert len(names) == len(set(names))
    names = {each.name for cls in script.ARGUMENT_CLASSES for each in fields(cls)}
    assert names <= set(listed["--help_all"])
    assert len(names - set(listed["--help"])) == left_out > 20
    # What this package adds comes before what the trainers have.
    first_of = listed["--help_all"].index
    if command != "evaluate":
        assert max(first_of("ntl_loss"), first_of("task")) < min(first_of("learning_rate"), first_of("seed"))


def test_version_and_exit_codes_of_wrong_usage(tmp_path):
    version = run_command("--version")
    assert (version.returncode, version.stderr) == (0, "") and version.stdout.startswith("ntl-hf ")
    wrong = [[], ["trian"], ["quickstart", "--stpes", "3"], ["quickstart", "--steps", "many"], ["inspect"]]
    wrong += [["inspect", str(tmp_path / "nowhere")], ["compare", "--config", str(tmp_path / "none.yaml")]]
    for words in wrong:
        done = run_command(*words)
        assert (done.returncode, done.stdout) == (2, ""), words
        assert "error: " in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ntl_los", "mae"], "unknown option --ntl_los. Did you mean '--ntl_loss'?"),
        (["--config", "none.yaml"], "cannot read the recipe none.yaml"),
        (["--max_steps", "many"], "invalid int value"),
    ],
)
@pytest.mark.parametrize("command", ["sft", "evaluate"])
def test_wrong_usage_of_a_command_with_a_recipe(command, words, message, capsys):
    words = words if command == "sft" else [word.replace("max_steps", "resamples") for word in words]
    words = [word.replace("ntl_los", "ntl_digits_onl") for word in words] if command == "evaluate" else words
    assert main([command, *words]) == 2
    out, err = capsys.readouterr()
    message = message.replace("ntl_los", "ntl_digits_onl") if command == "evaluate" else message
    message = message.replace("ntl_digits_onls", "ntl_digits_only")
    assert not out and message in err and len(err.splitlines()) == 1


def test_colours_are_for_terminals_that_want_them(tokenizer, monkeypatch, capsys):
    code, shown = on_a_terminal(["inspect", tokenizer], monkeypatch)
    assert code == 0 and COLOUR.search(shown)
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            code, plain = on_a_terminal(["inspect", tokenizer], patch)
        assert code == 0 and "\x1b" not in plain
        assert plain == re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert main(["inspect", tokenizer]) == 0
    out, err = capsys.readouterr()
    assert "\x1b" not in out and not err and "10 number tokens" in out


@pytest.mark.slow
def test_the_progress_of_a_quickstart_has_no_colours_under_no_color(tmp_path, monkeypatch):
    words = ["quickstart", "--debug", "--jobs", "1", "--output_dir", str(tmp_path / "out")]
    monkeypatch.setenv("NO_COLOR", "1")
    code, shown = on_a_terminal(words, monkeypatch)
    assert code == 0 and "Training" in shown and "Written:" in shown
    assert not COLOUR.search(shown)


def test_an_evaluation_prints_its_results_to_stdout(recipe, tmp_path, capsys):
    words = ["--model_name_or_path", str(tmp_path / "model"), "--output_dir", str(tmp_path / "scores")]
    words += ["--max_eval_samples", "4", "--max_new_tokens", "4", "--resamples", "20"]
    assert main(["evaluate", "--config", recipe(), *words]) == 0
    out, err = capsys.readouterr()
    assert "number_accuracy" in out and "number_accuracy" not in err
    assert "\x1b" not in out + err
    assert [line for line in out.splitlines() if len(line) > 80 and "Written" not in line] == []


@pytest.mark.slow
def test_training_into_pipes_has_no_bars(recipe):
    """Two bars, the evaluation's in the training's, would move the cursor."""
    config = recipe(disable_tqdm=False, eval_strategy="steps", eval_steps=1, max_eval_samples=4)
    # From the start: bars are turned off before the libraries are loaded.
    command = [*COMMAND, "sft", "--config", config]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "ntl_loss" in done.stdout and "eval_ntl_loss" in done.stdout
    assert not re.search(r"[\x1b\r]", done.stdout + done.stderr)
    assert "it/s" not in done.stderr and "s/it" not in done.stderr


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], pytest.param(["inspect"], marks=pytest.mark.slow)], ids=" ".join
)
def test_a_reader_that_goes_away_is_no_traceback(words, tokenizer):
    """As in `ntl-hf inspect MODEL | head -1`; the pipe is closed from the start, so that every write fails."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        words = [*words, tokenizer] if words == ["inspect"] else words
        done = subprocess.run([*COMMAND, *words], stdout=writer, stderr=subprocess.PIPE, text=True, timeout=240)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_other_broken_pipes_are_not_hidden():
    from ntl_hf.cli.process import exit_on_broken_pipe

    with pytest.raises(BrokenPipeError, match="a tracker"), exit_on_broken_pipe():
        raise BrokenPipeError("a tracker has gone")


def test_ctrl_c_ends_with_130(tmp_path):
    words = ["quickstart", "--jobs", "1", "--output_dir", str(tmp_path / "out")]
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Shells have their background jobs ignore it, and their children with them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert "Training" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=240)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "ntl-hf: interrupted" and "Traceback" not in err
