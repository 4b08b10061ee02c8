"""The output folder: which one is refused, and the file of results in it."""

import json
from pathlib import Path
from typing import Any

RESULTS = "quickstart.json"
PICTURE = "learning_curves.png"


def claim_folder(folder: Path) -> None:
    """Make the folder, or take an empty one or that of an earlier quickstart.

    Raises:
        ValueError: it is a file, holds other things, or cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; `--output_dir` must be a folder.")
    if folder.exists() and any(folder.iterdir()) and not (folder / RESULTS).exists():
        raise ValueError(
            f"{folder} is not empty and has no {RESULTS} of an earlier quickstart. Choose another `--output_dir`."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"`--output_dir` {folder} cannot be made: {error.strerror}.") from error


def write_results(folder: Path, results: dict[str, Any]) -> Path:
    """Write the results and remove the picture of an earlier run, which would not belong to them."""
    (folder / PICTURE).unlink(missing_ok=True)
    path = folder / RESULTS
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return path
