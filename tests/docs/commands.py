"""What is done with a command of the docs: run where that takes seconds, else read by the program that it is for."""

import argparse
import os
import runpy
import shutil
import signal
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from ntl_hf.cli.main import main, with_recipe_path

from .blocks import ROOT
from .project import extras, in_the_tests, make_targets
from .stand_ins import RUN_FOLDERS

# The recipes are for GPUs, most of them.
ON_THE_CPU = ["--use_cpu", "true", "--bf16", "false", "--dtype", "float32", "--report_to", "none"]
# They fetch the weights of a real model, or serve a page until they are stopped.
NOT_RUN = ("examples/smollm2_from_wheel.py", "examples/space/app.py")
# Scripts that a block above them holds, for a framework that is not installed.
ON_THE_PAGE = ("train_ntl.py",)


def run_command(words: list[str], patch: pytest.MonkeyPatch) -> None:
    """Run or read one command in the working directory; fails for a command that it does not know."""
    program, *rest = words
    assert program in _RULES, f"no rule for {program}"
    _RULES[program](rest, patch)


def _ntl_hf(words: list[str], patch: pytest.MonkeyPatch) -> None:
    command = words[0] if words else ""
    if "--accelerate_config" in words:
        _read_launch(words)
    elif command == "compare":
        _read_comparison(words, patch)
    elif "--help" in words:
        assert _exit_code(words) == 0
    elif command in ("sft", "train"):
        _make_room(words)
        debug = [] if "--debug" in words else ["--debug"]
        assert _exit_code([*words, *debug, *ON_THE_CPU]) == 0
    elif command == "evaluate":
        # Its own folder, for a page may evaluate one model several times.
        assert _exit_code([*words, "--debug", "--use_cpu", "true", "--dtype", "float32"]) == 0
    elif command == "quickstart":
        assert _exit_code([*words, "--debug", "--jobs", "1"]) == 0
    else:
        assert _exit_code(words) == 0


def _make_room(words: list[str]) -> None:
    """A page that makes a folder itself does not want the finished run that stands in for it."""
    for flag, folder in pairwise(words):
        if flag == "--output_dir" and folder in RUN_FOLDERS:
            shutil.rmtree(folder, ignore_errors=True)


def _exit_code(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as end:
        return int(end.code or 0)


def _read_launch(words: list[str]) -> None:
    """Several processes: the configuration and the recipe are read, for they may need several GPUs."""
    from accelerate.commands.config.config_args import load_config_from_file

    from ntl_hf.cli.launch import find_config, split_options

    options, rest = split_options(words)
    assert load_config_from_file(str(find_config(options["--accelerate_config"])))
    _parse(rest)


def _parse(words: list[str]) -> None:
    from ntl_hf.runs import sft, train
    from ntl_hf.settings.recipes import RecipeParser

    command, *rest = with_recipe_path(words)
    RecipeParser({"sft": sft, "train": train}[command].ARGUMENT_CLASSES).parse([*rest, "--use_cpu", "true"])


def _read_comparison(words: list[str], patch: pytest.MonkeyPatch) -> None:
    """Up to the first training: the file, every cell and every evaluation are checked; then it is interrupted."""
    from ntl_hf.compare import run_cells as run

    started: list[Any] = []

    def interrupt(cells: list[Any], *_: Any) -> run.Finish:
        started.extend(cells)
        return run.Finish(signal=signal.SIGINT)

    with patch.context() as context:
        context.setattr(run, "run_cells", interrupt)
        assert _exit_code([*words, "--use_cpu", "true"]) == 128 + signal.SIGINT and started


def _make(words: list[str], _: pytest.MonkeyPatch) -> None:
    for target in (word for word in words if "=" not in word):
        assert target in make_targets(), f"the Makefile has no target {target}"


def _pip(words: list[str], _: pytest.MonkeyPatch) -> None:
    command, *rest = words
    assert command == "install"
    for before, word in zip(["", *rest], rest, strict=False):
        if before in ("-c", "-r"):
            assert (ROOT / word).is_file()
        elif not word.startswith("-"):
            _check_requirement(word)


def _check_requirement(word: str) -> None:
    """`.[extra]` is this project too."""
    requirement = Requirement(word.replace(".", "ntl-hf", 1) if word.startswith(".") else word)
    if requirement.name.replace("_", "-") == "ntl-hf":
        assert requirement.extras <= extras(), f"no such extra: {requirement.extras - extras()}"


def _python(words: list[str], patch: pytest.MonkeyPatch) -> None:
    if words[0] == "-m":
        _module(words[1], words[2:], patch)
    elif words[0] in NOT_RUN:
        usage = f"python {' '.join(words)}\n"
        source = (ROOT / words[0]).read_text(encoding="utf-8")
        assert in_the_tests(Path(words[0]).name) or usage in source, usage
    elif words[0] in ON_THE_PAGE:
        assert not Path(words[0]).exists()
    else:
        _run(lambda: runpy.run_path(words[0], run_name="__main__"), words, patch)


def _module(name: str, words: list[str], patch: pytest.MonkeyPatch) -> None:
    if name == "ntl_hf.cli.main":
        return _ntl_hf(words, patch)
    if name == "pip":
        return _pip(words, patch)
    if name == "ntl_hf.runs.tiny_models":
        return _run(lambda: runpy.run_module(name, run_name="__main__"), [name, *words], patch)
    if name.startswith("tests."):
        assert find_spec(name) is not None and not words
        return None
    # Benchmarks take minutes: their own parser reads the words.
    assert name.startswith("benchmarks."), f"no rule for python -m {name}"
    parse = argparse.ArgumentParser.parse_args

    def stop(*args: Any, **kwargs: Any) -> None:
        parse(*args, **kwargs)
        raise _Parsed

    with patch.context() as context:
        context.setattr(argparse.ArgumentParser, "parse_args", stop)
        with pytest.raises(_Parsed):
            _run(lambda: runpy.run_module(name, run_name="__main__"), ["benchmarks", *words], context)


class _Parsed(Exception):  # noqa: N818 - it says that all went well
    pass


def _run(script: Callable[[], Any], words: list[str], patch: pytest.MonkeyPatch) -> None:
    with patch.context() as context:
        context.setattr("sys.argv", list(words))
        context.syspath_prepend(os.fspath(Path(words[0]).parent))
        script()


def _accelerate(words: list[str], patch: pytest.MonkeyPatch) -> None:
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    command, *rest = words
    assert command == "launch"
    args = launch_command_parser().parse_args(rest)
    assert load_config_from_file(args.config_file)
    if args.module:
        assert find_spec(args.training_script) is not None
        assert args.training_script == "ntl_hf.cli.main"
        # `--config ...` stands for the words of the line above it.
        if "..." not in args.training_script_args:
            _parse(args.training_script_args)
    else:
        assert (ROOT / args.training_script).is_file()


def _foreign(words: list[str], _: pytest.MonkeyPatch) -> None:
    """Programs of others, which need not be installed: the files of ours that they are given are there."""
    for word in words:
        if word.startswith(("recipes/", "examples/")):
            assert Path(word).is_file(), f"there is no file {word}"


_RULES: dict[str, Callable[[list[str], pytest.MonkeyPatch], None]] = {
    "ntl-hf": _ntl_hf,
    "make": _make,
    "pip": _pip,
    "python": _python,
    "accelerate": _accelerate,
    **dict.fromkeys(
        ("torchrun", "tensorboard", "trackio", "mlflow", "wandb", "axolotl", "swift", "llamafactory-cli"), _foreign
    ),
}
PROGRAMS = tuple(_RULES)
