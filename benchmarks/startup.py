"""What happens once: importing the package, help of the command, and finding the number tokens of a tokenizer.

Run `python -m benchmarks.startup`.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from ntl_hf import NumberVocab

from . import rows
from .processes import environment
from .synthetic import make_tokenizer

# In fresh processes; the first is what Python itself takes.
COMMANDS = {
    "python": ["-c", "pass"],
    "import ntl_hf": ["-c", "import ntl_hf"],
    "ntl-hf --help": ["-m", "ntl_hf.cli.main", "--help"],
    "import torch": ["-c", "import torch"],
}
VOCAB = "number vocabulary"


def main(arguments: list[str] | None = None) -> None:
    args = _parser().parse_args(arguments)
    common = rows.new_run("quick" if args.vocab_size < 100_000 else "targets", torch.device("cpu"), 1)
    seconds = {name: [_process(command) for _ in range(args.repeats + 1)][1:] for name, command in COMMANDS.items()}
    seconds[VOCAB] = [_number_vocab(args.vocab_size) for _ in range(args.repeats)]
    found = [{**common, "case": name, **_columns(name, values, args)} for name, values in seconds.items()]
    rows.append(args.out / "startup.csv", found)
    for row in found:
        print(f"{row['case']}: {row['seconds']} s")


def _process(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], env=environment(1), check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def _number_vocab(vocab_size: int) -> float:
    tokenizer = make_tokenizer(vocab_size, number_tokens=1110)
    start = time.perf_counter()
    vocab = NumberVocab.from_tokenizer(tokenizer, digits_only=False)
    seconds = time.perf_counter() - start
    assert len(vocab) == 1110
    return seconds


def _columns(name: str, seconds: list[float], args: argparse.Namespace) -> dict[str, Any]:
    columns = rows.time_columns(seconds)
    return {"vocab_size": args.vocab_size if name == VOCAB else "", "timed_runs": len(seconds), **columns}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs; one more before them is not counted")
    parser.add_argument("--vocab-size", type=int, default=128_256, help="tokens of the tokenizer")
    parser.add_argument("--out", type=Path, default=rows.RESULTS, help="folder of the CSV file")
    return parser


if __name__ == "__main__":
    main()
