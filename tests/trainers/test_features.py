"""Stock features go on working with the number loss on."""

import inspect
import math
from itertools import product

import pytest
import torch
from datasets import Dataset
from torch import nn
from transformers import DataCollatorForLanguageModeling

from ntl_hf import (
    NTLConfig,
    NTLSeq2SeqTrainer,
    NTLSFTTrainer,
    NTLTrainer,
)
from tests.build import first_step, make_trainer, parameters, relative_difference
from tests.tiers import by_tier
from tests.tiny import char_tokenizer, tiny_model, twin

ARCHITECTURES = {
    "t5": NTLSeq2SeqTrainer,
    "llama": NTLSFTTrainer,
    "granite": NTLSFTTrainer,
    "gemma": NTLSFTTrainer,
    "qwen": NTLSFTTrainer,
    "mamba": NTLSFTTrainer,
}


# Each architecture in one of the two, and T5 in both.
ALSO = [("llama", True), ("granite", False), ("gemma", True), ("qwen", False), ("mamba", True)]


@pytest.mark.parametrize(("architecture", "plain"), by_tier(product(ARCHITECTURES, (True, False)), ALSO))
def test_trains_evaluates_saves_and_resumes(architecture, plain, tmp_path):
    """An interrupted run that is resumed ends where the uninterrupted one does, bit for bit."""
    trainer_class = NTLTrainer if plain else ARCHITECTURES[architecture]
    config = NTLConfig(weight=0.5, weight_schedule="cosine", warmup_steps=1)
    settings = {
        "rows": 24,
        "max_steps": 6,
        "save_strategy": "steps",
        "save_steps": 3,
        "optim": "adamw_torch",
        "learning_rate": 1e-2,
        "trainer_options": {"ntl_config": config},
    }
    whole = make_trainer(trainer_class, tiny_model(architecture), tmp_path / "whole", **settings)
    whole.train()
    resumed = make_trainer(trainer_class, tiny_model(architecture, seed=1), tmp_path / "whole", **settings)
    resumed.train(resume_from_checkpoint=str(tmp_path / "whole" / "checkpoint-3"))
    assert resumed.state.global_step == 6
    assert relative_difference(parameters(resumed.model), parameters(whole.model)) == 0
    assert math.isfinite(whole.evaluate()["eval_number_mae"])
    logs = [log for log in whole.state.log_history if "loss" in log]
    assert logs[-1]["loss"] < logs[1]["loss"]


def test_t5_scales_its_tied_head(tmp_path):
    """NTLTrainer sees the scaled logits: its components are those of the model's own forward."""
    model = tiny_model("t5")
    trainer = make_trainer(NTLTrainer, model, tmp_path)
    assert model.config.tie_word_embeddings
    batch = next(iter(trainer.get_eval_dataloader()))
    own = model.eval()(**batch).loss
    assert trainer.evaluate()["eval_ce_loss"] == pytest.approx(own.item(), rel=1e-5)


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_one_forward_pass_and_no_logits(trainer_class, tmp_path):
    model = tiny_model()
    shapes = []
    model.register_forward_hook(lambda _module, _args, outputs: shapes.append(tuple(outputs.logits.shape)))
    trainer = make_trainer(
        trainer_class, model, tmp_path, max_steps=3, per_device_train_batch_size=2, gradient_accumulation_steps=2
    )
    trainer._loss_side.check_first(trainer, model, next(iter(trainer.get_train_dataloader())))
    # The check of the head, on a few tokens: its own pass, and the logits of the model.
    assert (1, 0, 64) in shapes and all(shape[1] <= 16 for shape in shapes)
    shapes.clear()
    trainer.train()
    assert [shape[1:] for shape in shapes] == [(0, 64)] * 6
    shapes.clear()
    trainer.evaluate()
    assert [shape[1:] for shape in shapes] == [(0, 64)] * len(shapes) and shapes


@pytest.mark.parametrize("training", [False, True])
def test_who_asks_for_the_outputs_gets_the_logits(training, tmp_path):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path)
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.model.train(training)
    loss, outputs = trainer.compute_loss(trainer.model, dict(batch), return_outputs=True)
    torch.testing.assert_close(outputs.logits, trainer.model(**batch).logits)
    torch.testing.assert_close(loss, trainer.compute_loss(trainer.model, dict(batch)))


def test_generation_is_untouched_after_sft(tmp_path):
    model = tiny_model()
    trainer = make_trainer(NTLSFTTrainer, model, tmp_path)
    trainer.train()
    clean = tiny_model()
    clean.load_state_dict(model.state_dict())
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(
        model.eval().generate(ids, max_new_tokens=8, do_sample=False),
        clean.eval().generate(ids, max_new_tokens=8, do_sample=False),
    )


CHECKPOINTING = [(NTLTrainer, "llama"), (NTLSFTTrainer, "llama"), (NTLSeq2SeqTrainer, "t5")]


@pytest.mark.parametrize(("trainer_class", "architecture"), CHECKPOINTING)
def test_gradient_checkpointing_changes_nothing(trainer_class, architecture, tmp_path):
    found = []
    for on in (False, True):
        trainer = make_trainer(
            trainer_class, tiny_model(architecture), tmp_path / str(on), activation_checkpointing=on
        )
        found.append(first_step(trainer)[0])
    assert relative_difference(found[1], found[0]) < 1e-5


@pytest.mark.parametrize(("trainer_class", "architecture"), CHECKPOINTING)
def test_bf16_mixed_precision(trainer_class, architecture, tmp_path):
    """Autocast in bf16 stays near float32, and the number term is computed in float32."""
    logs = []
    for bf16 in (False, True):
        trainer = make_trainer(trainer_class, tiny_model(architecture), tmp_path / str(bf16), bf16=bf16)
        trainer.train()
        logs.append(trainer.state.log_history[0])
    for name in ("ce_loss", "ntl_loss", "number_mass", "number_mae"):
        assert logs[1][name] == pytest.approx(logs[0][name], rel=0.05), name
    assert logs[1]["ntl_loss"] != logs[0]["ntl_loss"], "bf16 was not in force"


@pytest.mark.parametrize(("trainer_class", "architecture"), CHECKPOINTING[:2])
def test_compute_metrics_gets_logits_and_labels(trainer_class, architecture, tmp_path):
    seen = {}

    def compute_metrics(prediction):
        seen["shapes"] = prediction.predictions.shape, prediction.label_ids.shape
        return {"rows": len(prediction.label_ids)}

    trainer = make_trainer(
        trainer_class, tiny_model(architecture), tmp_path, trainer_options={"compute_metrics": compute_metrics}
    )
    metrics = trainer.evaluate()
    assert metrics["eval_rows"] == 6
    assert seen["shapes"][0] == (*seen["shapes"][1], 64)
    assert math.isfinite(metrics["eval_number_mae"])


def test_predict_with_generate(tmp_path):
    model = tiny_model("t5")
    model.generation_config.max_new_tokens = 5
    generating = make_trainer(NTLSeq2SeqTrainer, twin(model), tmp_path / "a", predict_with_generate=True)
    plain = make_trainer(NTLSeq2SeqTrainer, twin(model), tmp_path / "b")
    generating.compute_metrics = lambda prediction: {"length": prediction.predictions.shape[1]}
    found, wanted = generating.evaluate(), plain.evaluate()
    assert found["eval_length"] > 1
    for name in ("loss", "ce_loss", "ntl_loss", "number_mass", "number_mae"):
        assert found[f"eval_{name}"] == pytest.approx(wanted[f"eval_{name}"], rel=1e-5), name


def test_assistant_only_loss(tmp_path):
    """Numbers of the user's turn do not count."""
    template = (
        "{% for m in messages %}{% if m['role'] == 'assistant' %}"
        "{% generation %}{{ m['content'] }}#{% endgeneration %}"
        "{% else %}{{ m['content'] }}={% endif %}{% endfor %}"
    )
    tokenizer = char_tokenizer()
    tokenizer.chat_template = template
    messages = [[{"role": "user", "content": "999+1"}, {"role": "assistant", "content": f"is {i}"}] for i in range(8)]
    options = {"train_dataset": Dataset.from_dict({"messages": messages}), "eval_dataset": None}
    trainer = make_trainer(
        NTLSFTTrainer, tiny_model(), tmp_path, tokenizer=tokenizer, trainer_options=options, assistant_only_loss=True
    )
    trainer.train()
    assert trainer.state.log_history[0]["number_token_fraction"] == pytest.approx(1 / 5)


def test_models_wider_and_tokenizers_with_processors(tmp_path):
    """Padded logits (Qwen) and labels above the tokenizer's size are no numbers and no errors."""
    trainer = make_trainer(NTLSFTTrainer, tiny_model("qwen"), tmp_path)
    assert trainer.model.config.vocab_size > len(trainer.processing_class)
    trainer.train()
    assert math.isfinite(trainer.state.log_history[0]["loss"])


def test_labels_made_by_the_collator_and_columns_that_it_cannot_take(tmp_path):
    tokenizer = char_tokenizer()
    rows = {"text": ["1+2=3"] * 8, "input_ids": [tokenizer("1+2=3")["input_ids"]] * 8}
    options = {
        "train_dataset": Dataset.from_dict(rows),
        "data_collator": DataCollatorForLanguageModeling(tokenizer, mlm=False),
    }
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, trainer_options=options)
    trainer.train()
    # Of the five tokens, the first is not predicted.
    assert trainer.state.log_history[0]["number_token_fraction"] == pytest.approx(2 / 4)


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_a_step_without_any_label_changes_nothing(trainer_class, tmp_path):
    """0 / 0 would leave NaN in every weight."""
    rows = [{"input_ids": [5, 6, 7], "labels": [-100, 6, 7]}] + [{"input_ids": [5, 6, 7], "labels": [-100] * 3}] * 3
    trainer = make_trainer(
        trainer_class,
        tiny_model(),
        tmp_path,
        max_steps=4,
        per_device_train_batch_size=1,
        trainer_options={"train_dataset": Dataset.from_list(rows), "eval_dataset": None},
        **({"dataset_kwargs": {"skip_prepare_dataset": True}} if trainer_class is NTLSFTTrainer else {}),
    )
    trainer.train()
    assert all(torch.isfinite(p).all() for p in trainer.model.parameters())
    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    assert sorted(loss == 0 for loss in losses) == [False, True, True, True]


def test_the_signature_of_a_trained_model_keeps_input_ids(tmp_path):
    """A Trainer drops the columns that `forward` does not name."""
    model = tiny_model()
    make_trainer(NTLSFTTrainer, model, tmp_path / "sft").train()
    assert next(iter(inspect.signature(model.forward).parameters)) == "input_ids"
    make_trainer(NTLSFTTrainer, model, tmp_path / "again").train()
    make_trainer(NTLTrainer, model, tmp_path / "plain").train()


def test_liger_asks_for_the_loss_alone(tmp_path):
    """With `use_liger_kernel` the Trainer passes `skip_logits` in evaluation; we need the logits."""
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path)
    batch = next(iter(trainer.get_eval_dataloader()))
    assert "skip_logits" not in trainer._without_labels({**batch, "skip_logits": True})


def test_data_sets_that_are_no_datasets_dataset(tmp_path):
    """A list with columns that the collator cannot take, and a torch stream that knows its length."""
    tokenizer = char_tokenizer()
    rows = [{"text": "1+2=3", "input_ids": tokenizer("1+2=3")["input_ids"]}] * 8
    collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(rows)

        def __len__(self):
            return len(rows)

    for name, dataset in (("list", rows), ("stream", Stream())):
        options = {"train_dataset": dataset, "data_collator": collator}
        trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path / name, trainer_options=options)
        trainer.train()
        assert trainer.state.log_history[0]["number_token_fraction"] == pytest.approx(2 / 4)


def test_model_without_loss_kwargs_still_accumulates_exactly(tmp_path):
    """A forward without **kwargs makes the stock Trainer fall back to means of micro-batches."""

    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = tiny_model()
            self.config = self.inner.config

        def forward(self, input_ids=None, attention_mask=None, labels=None):
            return self.inner(input_ids=input_ids, attention_mask=attention_mask, labels=labels)

    found = []
    for size in (8, 1):
        trainer = make_trainer(
            NTLTrainer,
            Bare(),
            tmp_path / str(size),
            per_device_train_batch_size=size,
            gradient_accumulation_steps=8 // size,
        )
        found.append(first_step(trainer)[0])
    assert relative_difference(found[1], found[0]) < 1e-5
