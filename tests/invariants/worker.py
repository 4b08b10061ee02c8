"""One process of a distributed run: takes the cases it is given and writes their results. Started by launch.py."""

import os
import sys
import traceback
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from tests.invariants.cases import DATA_PARALLEL
from tests.invariants.training import evaluate, train


def main(result_file: Path, mode: str, job: str, names: list[str]) -> None:
    # Under tensor parallelism both processes see all rows.
    size = 2 if mode in DATA_PARALLEL else 4
    results = {}
    for name in names:
        if job == "evaluate":
            results[name] = evaluate(name, result_file.parent, mode)
        else:
            results[name] = _of_all_processes(train(name, result_file.parent, size, 2, mode, job == "resume"))
    if dist.get_rank() == 0:
        torch.save(results, result_file)
    dist.barrier()


def _of_all_processes(result: dict[str, Any]) -> dict[str, Any]:
    """The first process's result, with what each process saw for itself."""
    own = {"numbers": result.pop("numbers"), "weights": [log["ntl_weight"] for log in result["logs"]]}
    each: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(each, own)
    return {**result, "each": each}


if __name__ == "__main__":
    torch.set_num_threads(1)
    status = 0
    try:
        main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
    except Exception:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    # gloo sometimes aborts when the interpreter shuts down, after correct work.
    os._exit(status)
