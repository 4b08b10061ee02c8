"""A run that is resumed anywhere in the data ends where an uninterrupted one does, whatever draws the order."""

import random

import numpy as np
import pytest
import torch
from transformers import DataCollatorForSeq2Seq, Trainer, TrainerState, TrainingArguments

from ntl_hf import NTLSFTTrainer, NTLTrainer
from ntl_hf.trainers.checkpoints import MANIFEST
from ntl_hf.trainers.resuming import stream_position
from tests.build import make_trainer, parameters, relative_difference
from tests.tiers import by_tier
from tests.tiny import char_tokenizer, prompt_completion, tiny_model, tokenized

ROWS, STEPS = 20, 9  # of four rows: five steps a pass, or two and a half under accumulation
TOKENIZED = tokenized(char_tokenizer(), ROWS)


class Stream(torch.utils.data.IterableDataset):
    """Of torch: the same order in each pass."""

    def __iter__(self):
        yield from TOKENIZED


class DrawnStream(torch.utils.data.IterableDataset):
    """Another order in each pass, drawn from the three random states of a process."""

    def __iter__(self):
        order = np.random.permutation(ROWS)[torch.randperm(ROWS).numpy()].tolist()
        random.shuffle(order)
        yield from (TOKENIZED[i] for i in order)


def shuffled_stream(rows):
    """Of `datasets`, whose order depends on the pass."""
    return rows.to_iterable_dataset(num_shards=2).shuffle(seed=1, buffer_size=8)


NOT_SEEDABLE = {"accelerator_config": {"use_seedable_sampler": False}}
CASES = {
    "stream": (Stream, {}),
    "stream that is shuffled": (lambda: shuffled_stream(TOKENIZED), {}),
    "stream that draws": (DrawnStream, {}),
    "stream, steps across passes": (Stream, {"gradient_accumulation_steps": 2, "max_steps": 6}),
    "group_by_length": (None, {"train_sampling_strategy": "group_by_length"}),
    "group_by_length, epochs": (
        None,
        {"train_sampling_strategy": "group_by_length", "max_steps": -1, "num_train_epochs": 2},
    ),
    "random, not seedable": (None, NOT_SEEDABLE),
    "random, not seedable, workers": (None, {**NOT_SEEDABLE, "dataloader_num_workers": 1}),
    "stream, noise, workers": (DrawnStream, {"dataloader_num_workers": 1}),
    "batch_rebalance": (None, {"train_sampling_strategy": "batch_rebalance"}),
    "neftune": (None, {"neftune_noise_alpha": 5.0}),
}


# The same orders over other bounds of passes, or drawn by another process or for another purpose.
SLOW = (
    "stream that is shuffled",
    "stream, steps across passes",
    "group_by_length, epochs",
    "random, not seedable, workers",
    "stream, noise, workers",
    "batch_rebalance",
    "neftune",
)


class NoisyCollator(DataCollatorForSeq2Seq):
    """Draws for each batch."""

    def __call__(self, rows):
        batch = super().__call__(rows)
        batch["labels"] = batch["labels"].masked_fill(torch.rand(batch["labels"].shape) < 0.3, -100)
        return batch


def trainer_of(case, folder, kind=NTLTrainer, args_class=None, **changes):
    dataset, arguments = CASES[case]
    settings = {
        "max_steps": STEPS,
        "per_device_train_batch_size": 4,
        "optim": "adamw_torch",
        "learning_rate": 1e-3,
        "save_strategy": "steps",
        "save_steps": 1,
        **arguments,
        **changes,
    }
    options = {"train_dataset": TOKENIZED if dataset is None else dataset()}
    if "noise" in case:
        options["data_collator"] = NoisyCollator(char_tokenizer())
    if kind is NTLSFTTrainer:
        options["train_dataset"] = shuffled_stream(prompt_completion(ROWS))
    model = tiny_model("llama", attention_dropout=0.1)
    return make_trainer(kind, model, folder, args_class, trainer_options=options, **settings)


def resume(case, step, folder, *kind):
    trainer = trainer_of(case, folder, *kind, save_strategy="no")
    trainer.train(resume_from_checkpoint=str(folder / f"checkpoint-{step}"))
    return trainer


def differences(case, folder, steps, *kind):
    """How far runs that are resumed at these steps end from the uninterrupted one."""
    whole = trainer_of(case, folder, *kind)
    whole.train()
    last = whole.state.global_step
    found = {}
    for step in (each for each in steps if each < last):
        resumed = resume(case, step, folder, *kind)
        assert resumed.state.global_step == last
        found[step] = relative_difference(parameters(resumed.model), parameters(whole.model))
    return found


# In the first pass, at its end, and in the second one.
@pytest.mark.parametrize("case", by_tier(CASES, SLOW))
def test_ends_with_the_same_model(case, tmp_path):
    assert set(differences(case, tmp_path, (3, 5, 7)).values()) == {0.0}


def test_a_stream_in_sft(tmp_path):
    assert differences("stream", tmp_path, (7,), NTLSFTTrainer) == {7: 0.0}


@pytest.mark.parametrize("case", ["stream", "group_by_length"])
def test_the_stock_trainer_does_not(case, tmp_path):
    """Where it does, `NTLResumingMixin` has nothing to do."""
    assert differences(case, tmp_path, (7,), Trainer, TrainingArguments)[7] > 1e-3


def test_a_longer_run_goes_on_in_the_pass_that_a_shorter_one_ended_in(tmp_path):
    trainer_of("stream", tmp_path / "short", max_steps=4).train()
    whole, longer = trainer_of("stream", tmp_path / "whole"), trainer_of("stream", tmp_path / "short")
    whole.train()
    longer.train("auto")
    assert relative_difference(parameters(longer.model), parameters(whole.model)) == 0


def test_a_checkpoint_without_the_order_is_told(tmp_path, caplog):
    trainer_of("group_by_length", tmp_path).train()
    (tmp_path / "checkpoint-3" / "data_order.pth").unlink()
    (tmp_path / "checkpoint-3" / MANIFEST).unlink()
    (tmp_path / "checkpoint-3" / "ntl_config.json").unlink()  # as a stock trainer's
    with pytest.warns(UserWarning, match="no ntl_config.json"):
        resume("group_by_length", 3, tmp_path)
    assert "some are trained twice and others not" in caplog.text
    caplog.clear()
    resume("group_by_length", 5, tmp_path)  # between two passes, nothing has been drawn
    assert "trained twice" not in caplog.text


@pytest.mark.parametrize(
    ("epoch", "max_steps", "position"),
    [(0.25, 8, (0, 2)), (1.0, 8, (0, 8)), (1.125, 8, (1, 1)), (700 + 1 / 30000, 30000, (700, 1)), (2 / 3, 3, (0, 2))],
)
def test_the_position_in_a_stream(epoch, max_steps, position, tmp_path):
    state = TrainerState(epoch=epoch, max_steps=max_steps)
    state.save_to_json(str(tmp_path / "trainer_state.json"))
    done, steps = position
    for accumulation in (1, 2):
        assert stream_position(tmp_path, accumulation) == (done, steps * accumulation)
