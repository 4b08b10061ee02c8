"""The scripts of `examples/` as a person runs them; those that write models are in `tests/data`."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from ntl_hf.settings.loss_terms import LOSSES
from tests.docs.stand_ins import MAX_STEPS, patch_libraries, write_data, write_hub

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


@pytest.mark.slow
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


def test_the_loss_landscape_draws_every_loss_of_the_package() -> None:
    families = runpy.run_path(str(EXAMPLES / "loss_landscape.py"))["FAMILIES"]
    drawn = {how["loss"] for family in families.values() for how, _ in family.values()}
    assert drawn == set(LOSSES) - {"raft"}


@pytest.mark.slow
def test_the_loss_landscape_without_a_folder_says_how_it_is_called() -> None:
    done = run("loss_landscape.py")
    assert done.returncode == 1 and "python examples/loss_landscape.py docs/losses" in done.stderr


def source(name: str) -> str:
    """The code of an example, without its docstring."""
    return (EXAMPLES / name).read_text(encoding="utf-8").split('"""\n\n', 1)[1]


def before_and_after(printed: str) -> list[list[float]]:
    """CE and NTL that an example reports."""
    return [[float(x) for x in re.findall(r"\d+\.\d+", line)] for line in printed.splitlines() if ": CE " in line]


@pytest.mark.parametrize("name", ["plain_loop.py", "lightning_module.py"])
def test_the_loops_are_short_and_stand_on_their_page(name: str) -> None:
    page = (PAGE.parent / "integrations" / "lightning.md").read_text(encoding="utf-8")
    assert source(name) in page
    assert sum(bool(line.strip()) for line in source(name).splitlines()) <= 40


@pytest.mark.slow
def test_the_plain_loop_learns_and_does_not_mind_how_a_step_is_split(capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng(devices=[]):
        names = runpy.run_path(str(EXAMPLES / "plain_loop.py"))
    before, after = before_and_after(capsys.readouterr().out)
    assert after[0] < 0.5 * before[0] and after[1] < 0.8 * before[1]
    collate, rows = (
        names["collate"],
        [names["encoder"].encode(names["make_readings"](max_rows=8))[i] for i in range(8)],
    )
    # Rows of other lengths and other shares of numbers, one of them without any.
    rows[0]["labels"][-4:-1] = [names["tokenizer"].convert_tokens_to_ids("a")] * 3
    rows[1]["labels"][-3] = -100
    gradients = []
    for sizes in ([8], [4, 4], [1, 5, 2]):
        names["model"].zero_grad()
        parts = iter(rows)
        names["backward"]([collate([next(parts) for _ in range(size)]) for size in sizes])
        gradients.append(torch.cat([p.grad.flatten() for p in names["model"].parameters()]))
    for split in gradients[1:]:
        assert (split - gradients[0]).norm() < 1e-5 * gradients[0].norm()


@pytest.mark.slow
def test_the_lightning_module_learns() -> None:
    pytest.importorskip("lightning", reason="lightning is not installed")
    done = run("lightning_module.py")
    assert done.returncode == 0, done.stderr
    before, after = before_and_after(done.stdout)
    assert after[0] < 0.5 * before[0] and after[1] < 0.8 * before[1]


@pytest.mark.slow
def test_grpo_is_rewarded_for_its_numbers(tmp_path: Path) -> None:
    """A few steps of it; what they are worth takes more of them."""
    pytest.importorskip("trl", reason="TRL is not installed")
    command = [sys.executable, EXAMPLES / "train_grpo.py", "30", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    pattern = r"GRPO: reward (-\d\.\d+), exact (\d+\.\d)%, unreadable (\d+\.\d)%"
    rewards = [float(reward) for reward, _, _ in re.findall(pattern, done.stdout)]
    assert len(rewards) == 2 and all(-1 <= reward < 0 for reward in rewards)
    # The digits alone are learnt at once: most answers are numbers.
    assert float(re.findall(pattern, done.stdout)[0][2]) < 50


# Those that need nothing but a model and data of the hub, or make their own.
TRAINING = {"train_sft.py": ["DATA"], "train_t5.py": []}


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINING)
def test_it_trains_as_it_stands_on_a_machine_without_a_gpu(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("trl", reason="TRL is not installed")
    write_hub(tmp_path / "hub")
    write_data(tmp_path / "DATA")
    monkeypatch.chdir(tmp_path)
    # Two steps of it; devices and precision are the script's own.
    patch_libraries(monkeypatch, tmp_path / "hub")
    monkeypatch.setattr("sys.argv", [name, *TRAINING[name]])
    trainer = runpy.run_path(str(EXAMPLES / name), run_name="__main__")["trainer"]
    assert trainer.state.global_step == MAX_STEPS and trainer.args.device.type == "cpu"
    # What most CPUs only emulate.
    assert not trainer.args.bf16 and not trainer.args.fp16
    assert {str(parameter.dtype) for parameter in trainer.model.parameters()} == {"torch.float32"}
