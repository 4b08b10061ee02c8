"""`auto_find_batch_size`: what is logged and trained after an attempt that failed is as if it had not been."""

import pytest
import torch
from transformers import TrainerCallback

from ntl_hf import NTLSFTTrainer, NTLTrainer
from tests.build import make_trainer, parameters, relative_difference
from tests.systems.trainer_worker import build
from tests.tiny import tiny_model

FITS = 3
BALANCED = {"ntl_loss": "crps:0.5+was:0.1", "ntl_balance": "loss"}


class RunsOutOfMemory(TrainerCallback):
    """Lets the model fail at batches of more than `FITS` rows, after so many micro-batches."""

    def __init__(self, trainer, after):
        self.done, self.after, self.failed = 0, after, 0
        trainer.model.register_forward_pre_hook(self.look, with_kwargs=True)
        trainer.add_callback(self)

    def look(self, module, args, kwargs):
        if self.done >= self.after and len(kwargs["input_ids"]) > FITS:
            self.failed += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    def on_substep_end(self, *args, **kwargs):
        self.done += 1

    on_step_end = on_substep_end


def make(kind, folder, **settings):
    settings = {"max_steps": 3, "gradient_accumulation_steps": 4, **settings}
    if kind == "number head":
        return build("xval", "llama", folder, **settings)
    if kind is NTLTrainer:
        settings |= BALANCED
    return make_trainer(kind, tiny_model(), folder, rows=32, train_sampling_strategy="sequential", **settings)


@pytest.mark.parametrize("kind", [NTLTrainer, NTLSFTTrainer, "number head"])
def test_the_first_log_is_of_the_attempt_that_came_through(kind, tmp_path, caplog):
    wanted = make(kind, tmp_path, per_device_train_batch_size=FITS)
    wanted.train()
    trainer = make(kind, tmp_path, per_device_train_batch_size=4, auto_find_batch_size=True)
    memory = RunsOutOfMemory(trainer, after=2)  # in the middle of the first step
    trainer.train()
    assert memory.failed and trainer.state.global_step == 3
    assert relative_difference(parameters(trainer.model), parameters(wanted.model)) < 1e-6
    for found, expected in zip(trainer.state.log_history, wanted.state.log_history, strict=True):
        for name in expected.keys() - {"train_runtime", "train_samples_per_second", "train_steps_per_second"}:
            assert found[name] == pytest.approx(expected[name], rel=1e-5, nan_ok=True), name
    assert "training begins again" not in caplog.text


def test_the_head_is_checked_where_the_memory_ended_in_the_check(tmp_path, caplog):
    trainer = make(NTLTrainer, tmp_path, per_device_train_batch_size=4, auto_find_batch_size=True)
    RunsOutOfMemory(trainer, after=0)
    trainer.train()
    assert "head" not in trainer._loss_side.first.due and "fused head, no logits of 3 x" in caplog.text


def test_steps_before_the_memory_ended_are_told(tmp_path, caplog):
    trainer = make(NTLTrainer, tmp_path, per_device_train_batch_size=4, auto_find_batch_size=True)
    RunsOutOfMemory(trainer, after=5)
    trainer.train()
    assert "The memory was not enough after step 1: training begins again" in caplog.text
