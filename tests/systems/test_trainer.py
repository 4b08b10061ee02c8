"""`NumberHeadTrainer`: one loss however the rows are spread, resuming, adapters, what is saved and what is refused."""

import math

import numpy as np
import pytest
import torch
from datasets import Dataset, IterableDataset
from huggingface_hub import ModelCard
from peft import LoraConfig
from transformers import AutoModelForSequenceClassification, TrainingArguments

from ntl_hf.systems.regression_head import RegressionEncoder, load_regression_head, predict
from ntl_hf.systems.scaling import NumberScaling
from ntl_hf.systems.trainer import NumberHeadTrainer
from ntl_hf.trainers.checkpoints import list_checkpoints
from tests.build import KeepGradients, make_args, parameters, relative_difference
from tests.processes import run_module
from tests.systems.trainer_worker import SCALING, build, train, write_base
from tests.tiny import char_tokenizer, tiny_model

CASES = [("regression_head", "llama"), ("regression_head", "t5"), ("xval", "llama"), ("xval", "t5")]
every_case = pytest.mark.parametrize(("system", "architecture"), CASES)
BOTH = pytest.mark.parametrize("system", ["regression_head", "xval"])


def reference_gradients(trainer, weight=3.0):
    """By autograd on the whole batch of eight rows, in float64, from logits and predictions of the model."""
    model, rows = trainer.model, [trainer.train_dataset[i] for i in range(8)]
    batch, config = trainer.data_collator(rows), model.config
    if trainer.system == "regression_head":
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        loss = (logits[:, 0] - SCALING.scale(batch["labels"])).square().mean()
    else:
        output = model(**batch, output_hidden_states=False)
        shift = 0 if config.is_encoder_decoder else 1
        labels, numbers = batch["labels"][:, shift:], SCALING.scale(batch["number_labels"])[:, shift:]
        logits = output.logits[:, : labels.shape[1]]
        loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels)
        # What the model tells is without gradient: the head once more, on what it reads.
        hidden = []
        handle = model.number_head.register_forward_hook(lambda _, args, out: hidden.append(out))
        model(**batch)
        handle.remove()
        errors = (hidden[0][:, : labels.shape[1]] - numbers)[labels == config.num_token_id]
        loss = loss + weight * errors.square().mean()
    model.zero_grad()
    loss.backward()
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found, float(loss)


@every_case
def test_one_gradient_however_the_rows_are_spread(system, architecture, tmp_path):
    wanted, loss = reference_gradients(build(system, architecture, tmp_path, n=8, dtype=torch.float64))
    for size, accumulation in ((8, 1), (2, 4), (1, 8)):
        keep = KeepGradients()
        arguments = {"per_device_train_batch_size": size, "gradient_accumulation_steps": accumulation}
        trainer = build(system, architecture, tmp_path, n=8, dtype=torch.float64, callbacks=[keep], **arguments)
        trainer.train()
        assert len(keep.steps) == 1
        # Targets and the head of xVal are float32.
        assert relative_difference(keep.steps[0], wanted) < 1e-5, (size, accumulation)
        (log,) = [log for log in trainer.state.log_history if "loss" in log]
        assert log["loss"] == pytest.approx(loss, rel=1e-4)
        if system == "xval":
            assert log["token_loss"] + 3.0 * log["number_loss"] == pytest.approx(log["loss"], rel=1e-4)


def test_the_router_loss_of_a_mixture_is_a_mean_over_micro_batches(tmp_path):
    losses = []
    for size, accumulation in ((8, 1), (2, 4)):
        arguments = {"per_device_train_batch_size": size, "gradient_accumulation_steps": accumulation}
        trainer = build("xval", "mixtral", tmp_path, **arguments)
        # With one row alone, each micro-batch has the same router loss.
        trainer.train_dataset = trainer.train_dataset.select([0] * 8)
        keep = KeepGradients()
        trainer.add_callback(keep)
        trainer.train()
        losses.append((keep.steps[0], trainer.state.log_history[0]))
    (whole, log), (parts, other) = losses
    assert relative_difference(parts, whole) < 1e-5
    assert other["loss"] == pytest.approx(log["loss"], rel=1e-5)
    assert log["loss"] - log["token_loss"] - 3.0 * log["number_loss"] > 0.1, "there is a router loss"


@pytest.fixture(scope="module")
def in_two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    for architecture in ("llama", "t5"):
        write_base(architecture, folder)
    words = [folder, *("/".join(case) for case in CASES)]
    done = run_module("tests.systems.trainer_worker", words, processes=2)
    assert done.returncode == 0, done.stderr[-8000:]
    return torch.load(folder / "found.pt", weights_only=False)


@every_case
def test_two_processes_are_one(system, architecture, in_two_processes, tmp_path):
    two, one = in_two_processes[system, architecture], train(system, architecture, tmp_path, 8, 1)
    assert two["world_size"] == 2 and two["wrapper"] == "DistributedDataParallel"
    assert one["world_size"] == 1
    assert relative_difference(two["started"], one["started"]) == 0
    assert relative_difference(two["parameters"], one["parameters"]) < 1e-6
    assert relative_difference(one["started"], one["parameters"]) > 1e-4, "nothing was learnt"
    names = ("loss", "token_loss", "number_loss") if system == "xval" else ("loss",)
    for found, wanted in zip(two["logs"], one["logs"], strict=True):
        for name in names:
            assert found[name] == pytest.approx(wanted[name], rel=1e-4), name
    if system == "regression_head":
        assert two["evaluation"]["eval_loss"] == pytest.approx(one["evaluation"]["eval_loss"], rel=1e-5)


@BOTH
def test_a_resumed_run_is_the_uninterrupted_one(system, tmp_path):
    settings = {"max_steps": 4, "save_strategy": "steps", "save_steps": 2, "optim": "adamw_torch"}
    settings |= {"per_device_train_batch_size": 4, "train_sampling_strategy": "random"}
    whole = build(system, "llama", tmp_path, **settings)
    whole.train("auto")
    wanted = parameters(whole.model)
    assert [folder.name for folder in list_checkpoints(tmp_path / "run")] == ["checkpoint-4", "checkpoint-2"]
    (tmp_path / "run" / "checkpoint-4" / "optimizer.pt").write_bytes(b"half")
    resumed = build(system, "llama", tmp_path, **settings)
    resumed.train("auto")
    assert resumed._initial_global_step == 2, "it passes over the half-written one"
    assert relative_difference(parameters(resumed.model), wanted) < 1e-6
    finished = build(system, "llama", tmp_path, **settings)
    finished.train(True)
    assert finished.state.global_step == 4 and relative_difference(parameters(finished.model), wanted) < 1e-6


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    build("xval", "llama", tmp_path, save_strategy="steps", save_steps=1).train()
    with pytest.raises(ValueError, match="trained with another tokenizer"):
        build("regression_head", "llama", tmp_path).train(True)


def marks(n, seed):
    """Prompts with as many marks as a twentieth of their target, 0 to 9."""
    counts = torch.randint(0, 10, (n,), generator=torch.Generator().manual_seed(seed)).tolist()
    return [{"prompt": "=" + "#" * count, "target": 20.0 * count} for count in counts]


def test_a_regression_head_learns_and_beats_the_constant(tmp_path):
    tokenizer, test = char_tokenizer(), marks(64, 1)
    tiny_model("llama").save_pretrained(tmp_path / "base")
    scaling = NumberScaling.fit("range", [row["target"] for row in marks(256, 0)])
    torch.manual_seed(0)
    model = load_regression_head(str(tmp_path / "base"), tokenizer, scaling)
    encoder = RegressionEncoder(tokenizer, False)
    arguments = {"max_steps": 150, "optim": "adamw_torch", "learning_rate": 3e-3, "per_device_train_batch_size": 16}
    trainer = NumberHeadTrainer(
        model=model,
        args=make_args(TrainingArguments, tmp_path / "run", **{**arguments, "logging_steps": 50}),
        train_dataset=encoder.encode(Dataset.from_list(marks(256, 0))),
        eval_dataset=encoder.encode(Dataset.from_list(test)),
        processing_class=tokenizer,
        compute_metrics=lambda p: {"mae": float(np.abs(p.predictions - p.label_ids).mean())},
    )
    trainer.train()
    targets = torch.tensor([row["target"] for row in test])
    constant = float((targets - targets.median()).abs().mean())
    found = torch.tensor(predict(model, tokenizer, encoder.encode_prompts([row["prompt"] for row in test])))
    error = float((found - targets).abs().mean())
    assert error < 0.1 * constant
    # In evaluation, predictions are in the units of the targets too, and the loss is of the scaled ones.
    metrics = trainer.evaluate()
    assert metrics["eval_mae"] == pytest.approx(error, rel=1e-4)
    squares = (scaling.scale(found) - scaling.scale(targets)).square().mean()
    assert metrics["eval_loss"] == pytest.approx(float(squares), rel=1e-3)


@pytest.mark.parametrize(("system", "architecture"), [*CASES, ("xval", "mixtral"), ("xval", "mamba")])
def test_evaluation_has_a_loss_and_predictions(system, architecture, tmp_path):
    """Of all outputs, caches and losses of routers among them, predictions are the logits and the numbers alone."""
    trainer = build(system, architecture, tmp_path, per_device_eval_batch_size=2)
    assert np.isfinite(trainer.evaluate()["eval_loss"])
    predictions = trainer.predict(trainer.eval_dataset).predictions
    if system == "regression_head":
        assert predictions.shape == (5,)
    else:
        logits, numbers = predictions
        assert logits.shape[:2] == numbers.shape and len(numbers) == 5


@BOTH
def test_an_adapter_trains_and_saves(system, tmp_path):
    task_type, head = ("SEQ_CLS", ["score"]) if system == "regression_head" else ("CAUSAL_LM", ["number_head"])
    lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type=task_type, modules_to_save=head)
    trainer = build(system, "llama", tmp_path, peft_config=lora, max_steps=2)
    started = parameters(trainer.model)
    trainer.train()
    changed = {name for name, value in parameters(trainer.model).items() if not torch.equal(value, started[name])}
    assert any("lora_" in name for name in changed) and any(head[0] in name for name in changed)
    assert all("lora_" in name or head[0] in name for name in changed)
    trainer.save_model(str(tmp_path / "saved"))
    if system == "regression_head":
        from peft import PeftModel

        base = AutoModelForSequenceClassification.from_pretrained(tmp_path / "base-llama", num_labels=1)
        loaded = PeftModel.from_pretrained(base, tmp_path / "saved")
        trained = {name: p for name, p in parameters(trainer.model).items() if name in changed}
        read = {name: p for name, p in parameters(loaded).items() if name in changed}
        assert relative_difference(read, trained) == 0


@BOTH
def test_the_card_says_which_system_it_is(system, tmp_path):
    trainer = build(system, "llama", tmp_path)
    for _ in range(2):  # the second one replaces the first
        trainer.create_model_card(model_name="numbers", tags="mine")
    card = ModelCard.load(tmp_path / "run" / "README.md")
    assert {"mine", system.replace("_", "-")} <= set(card.data.tags)
    assert card.text.count("## Number system") == 1 and "Number Token Loss" not in card.text
    assert "'kind': 'range', 'largest': 500.0" in card.text
    assert ("2310.02989" in card.text) == (system == "xval")


# ---- What is refused ----


def spoil(trainer, column, value):
    def change(row, index):
        row = dict(row)
        if index == 3:
            row[column] = [value, *row[column][1:]] if isinstance(row[column], list) else value
        return row

    trainer.train_dataset = trainer.train_dataset.map(change, with_indices=True)


@pytest.mark.parametrize(
    ("system", "column"), [("regression_head", "labels"), ("xval", "number_values"), ("xval", "number_labels")]
)
@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_numbers_that_are_not_finite_are_refused(system, column, value, tmp_path):
    trainer = build(system, "llama", tmp_path)
    trainer.check_training_data()
    spoil(trainer, column, value)
    with pytest.raises(ValueError, match=f"The column `{column}` has {value}"):
        trainer.train()
    assert trainer.state.global_step == 0


class Listed(torch.utils.data.Dataset):
    def __init__(self, rows):
        self.rows = list(rows)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


@BOTH
def test_sets_of_other_kinds_are_checked_too(system, tmp_path):
    column = "labels" if system == "regression_head" else "number_values"
    trainer = build(system, "llama", tmp_path, n=8)
    spoil(trainer, column, float("inf"))
    rows = list(trainer.train_dataset)
    for dataset in (Listed(rows), trainer.train_dataset.to_iterable_dataset()):
        trainer.train_dataset = dataset
        with pytest.raises(ValueError, match=f"The column `{column}` has inf"):
            trainer.train()


@BOTH
def test_rows_of_another_system_are_refused(system, tmp_path):
    trainer, other = (
        build(each, "llama", tmp_path) for each in (system, "xval" if system != "xval" else "regression_head")
    )
    trainer.train_dataset = other.train_dataset
    message = "are one number a row" if system == "regression_head" else "The rows have no `number_labels`"
    with pytest.raises(ValueError, match=message):
        trainer.check_training_data()
    trainer.train_dataset = trainer.train_dataset.remove_columns("labels")
    with pytest.raises(ValueError, match=r"The rows have no `labels`. Encode the data"):
        trainer.check_training_data()


def test_labels_of_xval_are_checked(tmp_path):
    trainer = build("xval", "llama", tmp_path)
    whole = trainer.train_dataset
    spoil(trainer, "labels", 64)
    with pytest.raises(ValueError, match="labels contain 64"):
        trainer.check_training_data()
    trainer.train_dataset = whole.map(lambda row: {"labels": [-100] * len(row["labels"])})
    with pytest.raises(ValueError, match="No token of the training set has a label"):
        trainer.check_training_data()


def test_streams_are_trained_on(tmp_path):
    trainer = build("regression_head", "llama", tmp_path, n=8)
    rows = list(trainer.train_dataset)
    trainer.train_dataset = IterableDataset.from_generator(lambda: iter(rows))
    trainer.train()
    assert trainer.state.global_step == 1


@pytest.mark.parametrize("saved", [{"kind": "range", "largest": math.nan}, {"kind": "range", "largest": True}, [5.0]])
@pytest.mark.parametrize("system", ["regression_head", "xval"])
def test_a_damaged_scaling_is_refused_before_training(system, saved, tmp_path):
    """As a `config.json` may hold it; a NaN there would make every weight NaN."""
    trainer = build(system, "llama", tmp_path)
    trainer.model.config.number_scaling = saved
    with pytest.raises(ValueError, match=r"`largest` is|it must have `kind` and `largest`"):
        NumberHeadTrainer(trainer.model, trainer.args, train_dataset=trainer.train_dataset)


@pytest.mark.parametrize("weight", [math.nan, math.inf, -1.0, True])
def test_a_damaged_weight_of_xval_is_refused_before_training(weight, tmp_path):
    trainer = build("xval", "llama", tmp_path)
    trainer.model.config.number_weight = weight
    with pytest.raises(ValueError, match="`number_weight` is"):
        NumberHeadTrainer(trainer.model, trainer.args, train_dataset=trainer.train_dataset)


def test_models_and_settings_that_are_not_for_it_are_refused(tmp_path):
    args = make_args(TrainingArguments, tmp_path)
    with pytest.raises(
        ValueError, match=r"is for models of `load_regression_head` and `load_xval`, not .*LlamaForCausalLM"
    ):
        NumberHeadTrainer(tiny_model(), args, processing_class=char_tokenizer())
    with pytest.raises(ValueError, match="has a loss of its own; remove `label_smoothing_factor`"):
        build("regression_head", "llama", tmp_path, label_smoothing_factor=0.1)
