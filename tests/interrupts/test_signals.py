"""SIGTERM and SIGINT: a checkpoint, a clean end, and a resumed run that ends where an uninterrupted one does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file
from transformers import TrainerCallback

from ntl_hf import NTLSFTTrainer, NTLTrainer
from ntl_hf.runs import training
from ntl_hf.trainers.interrupt import InterruptCallback
from tests.build import make_trainer, parameters, relative_difference
from tests.interrupts.recipe import write_recipe
from tests.processes import run_command
from tests.tiny import tiny_model

ROOT = Path(__file__).parents[2]
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class SignalAt(TrainerCallback):
    """Sends this process a signal, in the middle of a step."""

    def __init__(self, step: int, number: int) -> None:
        self.step, self.number = step, number

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            os.kill(os.getpid(), self.number)


# The evaluation that is due at the end of an epoch is left out; it would have drawn from the random state of dropout.
@pytest.mark.parametrize(
    ("strategy", "step", "dropout", "number"),
    [
        ("no", 3, 0.1, signal.SIGTERM),
        ("epoch", 3, 0.1, signal.SIGINT),
        ("epoch", 4, 0.0, signal.SIGTERM),
        ("steps", 4, 0.0, signal.SIGINT),
    ],
)
def test_stops_with_a_checkpoint_and_resumes_bit_for_bit(strategy, step, dropout, number, tmp_path):
    settings = {
        "rows": 16,  # two steps an epoch
        "max_steps": 6,
        "optim": "adamw_torch",
        "save_strategy": strategy,
        "eval_strategy": strategy,
        "save_steps": 2,
        "eval_steps": 2,
        "ntl_weight_schedule": "linear",
    }

    def trainer(folder, seed=0):
        model = tiny_model("llama", seed=seed, attention_dropout=dropout)
        return make_trainer(NTLTrainer, model, tmp_path / folder, **settings)

    whole = trainer("whole")
    training.train(whole)
    stopped = trainer("stopped")
    before = [signal.getsignal(each) for each in SIGNALS]
    stopped.add_callback(SignalAt(step - 1, number))
    training.train(stopped)
    assert [signal.getsignal(each) for each in SIGNALS] == before, "the handlers are left behind"
    folder = tmp_path / "stopped"
    assert stopped.state.global_step == step and (folder / f"checkpoint-{step}").is_dir()
    assert not (folder / "model.safetensors").exists(), "what is not finished looks finished"
    evaluated = [log["step"] for log in stopped.state.log_history if "eval_loss" in log]
    assert evaluated == ([] if strategy == "no" else [2]), "the time that is left went into an evaluation"
    resumed = trainer("stopped", seed=1)
    resumed.args.resume_from_checkpoint = "auto"
    training.train(resumed)
    assert relative_difference(parameters(resumed.model), parameters(whole.model)) == 0


class SignalToAll(SignalAt):
    """As a scheduler does it: to all processes, the data loaders' workers included."""

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        if state.global_step == self.step:
            children = psutil.Process().children()
            assert len(children) >= 2, "there are no workers"
            for process in [*children, psutil.Process()]:
                process.send_signal(self.number)
            time.sleep(0.2)  # for the workers to end, if they do


@pytest.mark.parametrize(("number", "persistent"), [(signal.SIGTERM, False), (signal.SIGINT, True)])
def test_the_workers_of_the_data_loader_live_on(number, persistent, tmp_path):
    workers = {"dataloader_num_workers": 2, "dataloader_persistent_workers": persistent}
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, rows=64, max_steps=8, eval_steps=3, **workers)
    trainer.args.eval_strategy = "steps"  # those of the evaluation as well
    trainer.add_callback(SignalToAll(4, number))
    training.train(trainer)
    assert trainer.state.global_step == 5 and (tmp_path / "checkpoint-5").is_dir()


def test_a_signal_during_the_last_save_waits(tmp_path, monkeypatch):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=2)
    stock = trainer.save_model
    monkeypatch.setattr(trainer, "save_model", lambda **more: (os.kill(os.getpid(), signal.SIGTERM), stock(**more)))
    training.train(trainer)
    assert (tmp_path / "model.safetensors").is_file() and (tmp_path / "trainer_state.json").is_file()


@pytest.mark.parametrize("seconds", [0.0, 1e9])
def test_a_second_signal_ends_at_once_if_it_is_a_second_wish(seconds, monkeypatch):
    monkeypatch.setattr("ntl_hf.trainers.interrupt.DUPLICATE_SIGNAL_WINDOW_S", seconds)
    child = os.fork()
    if not child:
        with InterruptCallback():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert ended == (-signal.SIGTERM if seconds == 0 else 0)


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
def test_two_processes_stop_at_the_same_step(number, tmp_path):
    """Through the launcher, which passes the signals on."""
    recipe = str(write_recipe(tmp_path, max_steps=100000, save_steps=100000))
    command = [sys.executable, "-m", "ntl_hf.cli.main", "sft", "--config", recipe, "--accelerate_config"]
    command += [str(ROOT / "tests" / "accelerate" / "ddp.yaml")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    # One limit for all of it, within that of pytest: any of its three parts may be slow beside other tests.
    end = time.monotonic() + 280
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _wait_for(tmp_path / "log", "'loss'", process, end)
            send = process.send_signal if number == signal.SIGTERM else lambda n: os.killpg(process.pid, n)
            send(number)
            code = process.wait(end - time.monotonic())
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    text = (tmp_path / "log").read_text()
    assert code == 0 and "Traceback" not in text, text[-3000:]
    assert "Training in 2 processes" in text and text.count("Interrupted: ") == 1
    (folder,) = (tmp_path / "out").glob("checkpoint-*")
    assert {path.name for path in folder.glob("rng_state_*")} == {"rng_state_0.pth", "rng_state_1.pth"}
    step = int(folder.name.partition("-")[2])
    words, left = ["sft", "--config", recipe, "--max_steps", str(step + 1)], end - time.monotonic()
    again = run_command(*words, processes=2, timeout=left)
    assert again.returncode == 0, again.stderr[-3000:]
    assert load_file(tmp_path / "out" / "model.safetensors")


def _wait_for(path: Path, text: str, process: subprocess.Popen, end: float) -> None:
    while text not in path.read_text():
        assert process.poll() is None and time.monotonic() < end, path.read_text()[-3000:]
        time.sleep(0.1)


def test_sft_is_covered(tmp_path):
    """The same callback under TRL's trainer."""
    trainer = make_trainer(NTLSFTTrainer, tiny_model("llama"), tmp_path, max_steps=4, rows=16)
    trainer.add_callback(SignalAt(1, signal.SIGTERM))
    training.train(trainer)
    assert trainer.state.global_step == 2 and (tmp_path / "checkpoint-2").is_dir()
