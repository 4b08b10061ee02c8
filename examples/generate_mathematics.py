"""Write files of DeepMind Mathematics (arXiv 1904.01557) with its own generator, as `task: mathematics` reads them.

    pip install mathematics_dataset==1.0.1 'sympy>=1.14'
    python examples/generate_mathematics.py data/mathematics --rows_per_file 1000 --modules arithmetic__mul \
        --levels train-easy train-medium train-hard interpolate

Each file `LEVEL/MODULE.txt` has its own chance, so that it does not depend on the others, and the same seed writes the
same. The original has 666,666 rows of each module in the three train levels and 10,000 in the others. `paper` stands
for the modules of arXiv 2411.02083; four of them (`*_composed`) do not run with numpy 2: name others, or generate them
in an environment with numpy 1.23.
"""

import argparse
import importlib
import random
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ntl_hf.data.mathematics import named_modules

LEVELS = ("train-easy", "train-medium", "train-hard", "interpolate", "extrapolate")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to; files that are there already are left alone and refused")
    parser.add_argument("--modules", nargs="*", help="such as arithmetic__mul, or paper; default: all of a level")
    parser.add_argument("--levels", nargs="+", default=LEVELS, help="default: all five")
    parser.add_argument("--rows_per_file", type=int, default=10_000, help="questions of each module and level")
    parser.add_argument("--seed", type=int, default=0, help="of all chance")
    try:
        generate(**vars(parser.parse_args(argv)))
    except (ImportError, OSError, ValueError) as error:
        parser.error(str(error))


def generate(
    folder: Path,
    modules: Sequence[str] | None = None,
    levels: Sequence[str] = LEVELS,
    rows_per_file: int = 10_000,
    seed: int = 0,
) -> None:
    """Write the files of all levels; nothing where one is there already or a name is unknown."""
    if rows_per_file < 1:
        raise ValueError(f"`rows_per_file` must be 1 or more, not {rows_per_file}.")
    files = {Path(folder) / level / f"{name}.txt": make for level in levels for name, make in samplers(level, modules)}
    for path in files:
        if path.exists():
            raise FileExistsError(f"{path} is there already; choose another folder.")
    for path, make in files.items():
        random.seed(f"{seed} {path.parent.name} {path.stem}")
        np.random.seed(random.getrandbits(32))
        lines = [line for _ in range(rows_per_file) for line in problem(make, path)]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def samplers(level: str, modules: Sequence[str] | None) -> list[tuple[str, Callable[[], Any]]]:
    """The names of a level's modules, and what makes a question of each."""
    if level not in LEVELS:
        raise ValueError(f"Mathematics has the levels {', '.join(LEVELS)}, not '{level}'.")
    package = generator("modules.modules")
    tests = {"interpolate": package.test, "extrapolate": package.test_extra}
    groups = tests[level]() if level in tests else package.train(partial(third, LEVELS.index(level)))
    there = {f"{group}__{name}": make for group, members in groups.items() for name, make in members.items()}
    names = sorted(there) if (named := named_modules(modules, level)) is None else named
    for name in names:
        if name not in there:
            near = get_close_matches(name, there, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise ValueError(f"The level {level} has no module '{name}'.{hint} It has: {', '.join(sorted(there))}.")
    return [(name, there[name]) for name in names]


def third(index: int, whole: tuple[float, float]) -> tuple[float, float]:
    """The third number `index`, from 0, of a range of difficulty: easy, medium and hard."""
    low, step = whole[0], (whole[1] - whole[0]) / 3
    return low + index * step, low + (index + 1) * step


def problem(make: Callable[[], Any], path: Path) -> tuple[str, str]:
    """A question and its answer, no longer than DeepMind's limits."""
    limits = generator("generate_settings")
    while True:
        try:
            made = make()
        # It makes vectors of objects in ways that numpy 2 has removed.
        except AttributeError as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise ValueError(
                f"The module '{path.stem}' of mathematics_dataset does not run with numpy {np.__version__}: {reason}. "
                "Choose other modules, or generate it in an environment with numpy 1.23."
            ) from error
        question, answer = str(made.question), str(made.answer)
        if len(question) <= limits.MAX_QUESTION_LENGTH and len(answer) <= limits.MAX_ANSWER_LENGTH:
            return question, answer


def generator(name: str) -> Any:
    """A module of `mathematics_dataset`, which imports a function from where sympy had it once."""
    try:
        package = importlib.import_module("sympy.solvers.diophantine")
        # Not by attribute: the package has a function of the module's name.
        actual = importlib.import_module("sympy.solvers.diophantine.diophantine")
        vars(package)["base_solution_linear"] = actual.base_solution_linear
        return importlib.import_module(f"mathematics_dataset.{name}")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"Generating Mathematics needs the package {error.name}: pip install mathematics_dataset==1.0.1 "
            "'sympy>=1.14'."
        ) from error


if __name__ == "__main__":
    main()
