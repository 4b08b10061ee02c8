"""`ntl-hf plot`: the loss landscape, and the pictures of a finished run."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..settings.errors import as_usage_error
from .help import CommandsFormatter, with_examples

_RUN = (
    "Draws the learning curves that a finished run has logged (`trainer_state.json`) and, where it was trained with "
    "`ntl_plots`, the pictures of its last evaluations again, from the numbers kept in its folder `plots`."
)
_LANDSCAPE = (
    "Draws what each loss charges when the model is certain of 0, 1, ..., 9. 'ce' is cross entropy, 'squashed' is "
    "'was' with a squash factor of 2; the others are the names of `ntl_loss`, with their default settings."
)


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command, its two kinds of picture and their options."""
    parser = commands.add_parser(
        "plot",
        help="draw the loss landscape, or the curves of a finished run",
        description=with_examples(
            "Draw pictures as PNG.", "ntl-hf plot landscape --true_digit 4", "ntl-hf plot run outputs/my-model"
        ),
        formatter_class=CommandsFormatter,
    )
    kinds = parser.add_subparsers(title="pictures", metavar="PICTURE", required=True)
    landscape = kinds.add_parser("landscape", help="what each loss charges for each digit", description=_LANDSCAPE)
    landscape.add_argument("--true_digit", type=int, default=4, metavar="DIGIT", help="default: %(default)s")
    landscape.add_argument("--losses", nargs="+", metavar="LOSS", help="default: ce was squashed mse mae huber crps")
    landscape.add_argument(
        "--output", type=Path, default=Path("landscape.png"), metavar="FILE", help="default: %(default)s"
    )
    landscape.set_defaults(run=run_landscape)
    finished = kinds.add_parser("run", help="curves and evaluations of a finished run", description=_RUN)
    finished.add_argument("folder", type=Path, metavar="FOLDER", help="the run's `output_dir`, or a checkpoint")
    finished.add_argument("--output", type=Path, metavar="FOLDER", help="default: the folder `plots` in the run's own")
    finished.add_argument("--every_step", action="store_true", help="all evaluations, not only the last of each set")
    finished.set_defaults(run=run_finished)
    return parser


def run_landscape(args: argparse.Namespace) -> int:
    """Draw the landscape and print the path.

    Raises:
        UsageError: no digit, an unknown loss, a file that cannot be written, or no matplotlib.
    """
    from ..plots import check_can_plot
    from ..plots.landscape import DEFAULT_NAMES, check_landscape, draw_landscape

    names = tuple(dict.fromkeys(args.losses or DEFAULT_NAMES))
    with as_usage_error(ValueError, OSError):
        check_can_plot("`ntl-hf plot`")
        check_landscape(names, args.true_digit)  # before the imports, which take seconds
        args.output.parent.mkdir(parents=True, exist_ok=True)
        draw_landscape(names, args.true_digit).savefig(args.output, dpi=120)
    print(args.output)
    return 0


def run_finished(args: argparse.Namespace) -> int:
    """Draw a run's curves and evaluations, and print the path of each picture.

    Raises:
        UsageError: no such folder, nothing in it to draw, unreadable files, or no matplotlib.
    """
    from ..plots import check_can_plot

    with as_usage_error(ValueError, OSError):
        check_can_plot("`ntl-hf plot`")
        for path in _draw_run(args.folder, args.output, args.every_step):
            print(path, flush=True)
    return 0


def _draw_run(folder: Path, output: Path | None, every_step: bool) -> Iterator[Path]:
    from ..plots.beliefs import FOLDER, load_numbers, save_pictures
    from ..plots.curves import draw_curves, find_state, read_curves
    from ..trainers.checkpoints import CHECKPOINTS

    if not folder.is_dir():
        raise ValueError(f"there is no folder '{folder}'.")
    state = find_state(folder)
    if state is None:
        raise ValueError(f"'{folder}' has no `trainer_state.json`, nor has a checkpoint in it: is it a run's folder?")
    # A checkpoint is left as it is: its curves lie beside those of the run, whose evaluations go further than its own.
    is_checkpoint = folder.match(CHECKPOINTS)
    kept = (folder.parent if is_checkpoint else folder) / FOLDER
    curves, numbers = read_curves(state), [] if is_checkpoint else load_numbers(kept, every_step)
    output = kept if output is None else output
    output.mkdir(parents=True, exist_ok=True)
    path = output / (f"curves-{folder.name}.png" if is_checkpoint else "curves.png")
    draw_curves(curves).savefig(path, dpi=100)
    yield path
    for beliefs in numbers:
        yield from save_pictures(output, beliefs).values()
