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
    # One of ours, whatever files of that path there are, or a configuration of accelerate.
    source = recipe_files.FOLDER / f"{args.name.removesuffix('.yaml')}.yaml"
    if source not in recipe_files.FOLDER.glob("*/*.yaml"):
        raise UsageError(f"{args.name}: {recipe_files.unknown(args.name)}")
    text = source.read_text(encoding="utf-8")
    if str(args.file) == "-":
        print(text, end="")
        return 0
    copy = shlex.quote(str(args.file))
    usage = f"sft --accelerate_config {copy} --config RECIPE"
    if source.parent != recipe_files.ACCELERATE:
        usage = f"{recipe_files.command_of(source)} --config {copy}"
        # Its second line says how to run it.
        text = text.replace(f"--config {recipe_files.display_name(source)}\n", f"--config {copy}\n", 1)
    try:
        args.file.parent.mkdir(parents=True, exist_ok=True)
        with args.file.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f"{error.filename} is there already; name another file.") from error
    except OSError as error:
        raise UsageError(f"cannot write {args.file}: {error.strerror}.") from error
    print(f"Written: {args.file}. Run it with: ntl-hf {usage}")
    return 0
