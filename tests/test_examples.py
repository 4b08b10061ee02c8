"""The scripts of `examples/` as a person runs them; those that write models are in `tests/data`."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
PAGE = EXAMPLES.parent / "docs" / "losses.md"


def run(name: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments], capture_output=True, text=True, check=False, timeout=240
    )


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    folder = tmp_path_factory.mktemp("pictures") / "new"
    done = run("loss_landscape.py", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_loss_landscape_draws_the_pictures_of_its_page(pictures: Path) -> None:
    from matplotlib.image import imread

    drawn = sorted(path.name for path in pictures.iterdir())
    assert drawn == sorted(path.name for path in (PAGE.parent / "losses").glob("*.png"))
    for name in drawn:
        assert f"(losses/{name})" in PAGE.read_text(encoding="utf-8")
        height, width, _ = imread(pictures / name).shape
        assert width > 1000 and height > 300
        # More than a blank page.
        assert imread(pictures / name).std() > 0.05


def test_the_loss_landscape_draws_every_loss() -> None:
    """As source: drawing takes the same table."""
    from ntl_hf.loss_terms import LOSSES

    source = (EXAMPLES / "loss_landscape.py").read_text(encoding="utf-8")
    assert [name for name in LOSSES if name != "raft" and f'"loss": "{name}"' not in source] == []


def test_the_loss_landscape_without_a_folder_says_how_it_is_called() -> None:
    done = run("loss_landscape.py")
    assert done.returncode == 1 and "python examples/loss_landscape.py docs/losses" in done.stderr
