"""Build a release, install it into environments made from nothing, and use it there.

    python -m tests.release.clean_install [--folder FOLDER] [--dist FOLDER] [--extras NAME ...] [--debug]

The wheel alone: the commands, a training, the quickstart. Then every extra alone: what needs it names the extra
before, and works after. Needs a package index, 3 GB of disk, and on two CPU cores about ten minutes.
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import yaml

from tests.recipe import prepare_recipe

from .artefacts import ROOT, build
from .environments import Clock, Environment, run
from .extras import EXTRAS, write_inputs


def main() -> None:
    """Check all of it; exits with 1 and the output of the command that failed."""
    args = _arguments()
    clock = Clock()
    with tempfile.TemporaryDirectory(prefix="ntl-hf-release-") as scratch:
        folder = args.folder or Path(scratch)
        work = _write_work(folder / "work")
        built = build(args.dist)
        clock.tell(f"built {built.sdist.name} and {built.wheel.name}, {built.wheel.stat().st_size // 1024} KiB")
        base = Environment.create(folder / "base", work)
        # torch is named with its pin in the same command as what needs it.
        base.install("torch", str(built.wheel))
        base.run("-m", "pip", "check")
        clock.tell("installed the wheel into an empty environment; pip check is content")
        check_wheel(base, built.version, clock, args.debug)
        for name in args.extras:
            check_extra(name, base, folder / name, built.wheel, clock)
    print("All of it works.")


def check_wheel(base: Environment, version: str, clock: Clock, debug: bool) -> None:
    """The command that the wheel installs, and a training."""
    command = str(base.folder / "bin" / "ntl-hf")
    where = base.run("-c", "import ntl_hf; print(ntl_hf.__file__)").strip()
    assert str(base.folder) in where and str(ROOT) not in where, where
    assert run(command, "--version", folder=base.work) == f"ntl-hf {version}\n"
    assert "quickstart" in run(command, "--help", folder=base.work)
    assert "10 number tokens" in run(command, "inspect", "model", folder=base.work)
    assert "smollm2-135m/gsm8k-lora" in run(command, "recipes", folder=base.work)
    clock.tell("ntl-hf --version, --help, inspect and recipes")
    run(command, "sft", "--config", "recipe.yaml", folder=base.work)
    clock.tell("ntl-hf sft, two steps of a tiny model")
    words = ["quickstart", *(["--debug"] if debug else [])]
    print(run(command, *words, folder=base.work))
    clock.tell("ntl-hf " + " ".join(words))


def check_extra(name: str, base: Environment, folder: Path, wheel: Path, clock: Clock) -> None:
    """Without it, its name and how to install it; with it alone, a use of it."""
    extra = EXTRAS[name]
    if extra.without is not None:
        printed = extra.without(base)
        assert f"ntl-hf[{name}]" in printed, f"without {name}, this does not say what to install:\n{printed}"
    environment = base.linked_copy(folder)
    environment.install(*extra.install, f"ntl-hf[{name}] @ {wheel.resolve().as_uri()}")
    environment.run("-m", "pip", "check")
    extra.use(environment)
    shutil.rmtree(folder)
    clock.tell(f"ntl-hf[{name}]: {'refused without it, ' if extra.without else ''}works with it alone")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.release.clean_install")
    parser.add_argument("--folder", type=Path, help="for the environments (default: a temporary one)")
    parser.add_argument("--dist", type=Path, default=Path("dist"), help="for sdist and wheel (default: %(default)s)")
    parser.add_argument("--extras", nargs="*", choices=list(EXTRAS), default=list(EXTRAS), help="default: all but dev")
    parser.add_argument("--debug", action="store_true", help="a few steps of the quickstart")
    return parser.parse_args()


def _write_work(work: Path) -> Path:
    """A folder with a tiny model, data, a recipe and a configuration of accelerate."""
    work.mkdir(parents=True)
    lora = {"use_peft": True, "lora_target_modules": "all-linear", "max_steps": 2, "per_device_train_batch_size": 2}
    settings = prepare_recipe(work, rows=8) | lora | {"save_strategy": "no", "max_eval_samples": 4}
    (work / "recipe.yaml").write_text(yaml.safe_dump(settings))
    shutil.copy(ROOT / "tests" / "accelerate" / "zero2.yaml", work / "zero2-cpu.yaml")
    write_inputs(work)
    return work


if __name__ == "__main__":
    main()
