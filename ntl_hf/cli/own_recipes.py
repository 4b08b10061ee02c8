"""`ntl-hf recipes`: lists the recipes that come with the package, and copies one to edit."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from ..settings import recipe_files
from ..settings.errors import UsageError
from .help import CommandsFormatter, with_examples

_DESCRIPTION = with_examples(
    "List the recipes that come with the package, with the command that runs each and the hardware it is for. "
    "Wherever a command takes --config, a name of the list will do; a file of yours counts more.",
    "ntl-hf recipes",
    "ntl-hf recipes copy smollm2-135m/gsm8k-lora my.yaml",
    "ntl-hf sft --config my.yaml",
)


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "recipes",
        help="list the recipes, or copy one to edit",
        description=_DESCRIPTION,
        formatter_class=CommandsFormatter,
        usage="ntl-hf recipes [-h] [copy NAME FILE]",
    )
    parser.set_defaults(run=run_list)
    actions = parser.add_subparsers(title="instead of the list", metavar="ACTION")
    copy = actions.add_parser(
        "copy",
        help="write a recipe to a file of yours",
        description=with_examples(
            "Write a recipe to a file of yours, to edit it.",
            "ntl-hf recipes copy smollm2-135m/gsm8k-lora my.yaml",
            "ntl-hf recipes copy accelerate/zero3 my-zero3.yaml",
        ),
        formatter_class=CommandsFormatter,
        # Else it begins with the usage above.
        prog="ntl-hf recipes copy",
    )
    copy.add_argument("name", metavar="NAME", help="as `ntl-hf recipes` lists it, or accelerate/zero3 and the like")
    copy.add_argument("file", type=Path, metavar="FILE", help="must not be there yet; - prints the recipe")
    copy.set_defaults(run=run_copy)
    return parser


def run_list(_: argparse.Namespace) -> int:
    """Print a line a recipe: its name, its command, its hardware."""
    names = recipe_files.recipe_names()
    width = max(map(len, names))
    for name in names:
        path = recipe_files.FOLDER / f"{name}.yaml"
        print(f"{name:{width}}  {recipe_files.command_of(path):7}  {recipe_files.hardware_of(path)}")
    return 0


def run_copy(args: argparse.Namespace) -> int:
    """Write the copy and print how to run it; to `-`, print the recipe itself.

    Raises:
        UsageError: there is no such recipe, the file is there already, or it cannot be written.
    """
    source = _find(args.name)
    text = source.read_text(encoding="utf-8")
    if str(args.file) == "-":
        print(text, end="")
        return 0
    if source.parent != recipe_files.ACCELERATE:
        # Its second line says how to run it.
        text = text.replace(f"--config {recipe_files.display_name(source)}\n", f"--config {_quoted(args.file)}\n", 1)
    try:
        args.file.parent.mkdir(parents=True, exist_ok=True)
        with args.file.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f"{error.filename} is there already; name another file.") from error
    except OSError as error:
        raise UsageError(f"cannot write {args.file}: {error.strerror}.") from error
    print(f"Written: {args.file}. Run it with: {_usage(source, args.file)}")
    return 0


def _find(name: str) -> Path:
    """A recipe of ours, whatever files of that path there are, or a configuration of accelerate."""
    modes = {f"accelerate/{path.stem}": path for path in recipe_files.ACCELERATE.glob("*.yaml")}
    path = recipe_files.own_recipe(name) or modes.get(name.removesuffix(".yaml"))
    if path is None:
        raise UsageError(f"{name}: {recipe_files.unknown(name)}")
    return path


def _usage(source: Path, file: Path) -> str:
    if source.parent == recipe_files.ACCELERATE:
        return f"ntl-hf sft --accelerate_config {_quoted(file)} --config RECIPE"
    return f"ntl-hf {recipe_files.command_of(source)} --config {_quoted(file)}"


def _quoted(file: Path) -> str:
    return shlex.quote(str(file))
