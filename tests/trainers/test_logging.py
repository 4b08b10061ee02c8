"""What is logged, and when it is gathered."""

import math

import pytest
import torch

from ntl_hf import (
    NTLCallback,
    NTLConfig,
    NTLSeq2SeqTrainer,
    NTLSFTTrainer,
    NTLTrainer,
)
from tests.build import make_trainer
from tests.tiny import tiny_model

COMPONENTS = ("ce_loss", "ntl_loss", "number_mass", "number_mae", "number_token_fraction")
TRAINERS = [(NTLTrainer, "llama"), (NTLSeq2SeqTrainer, "t5"), (NTLSFTTrainer, "llama")]
PLAIN_STEP = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}


@pytest.mark.parametrize(("trainer_class", "architecture"), TRAINERS)
def test_every_log_line_has_the_components(trainer_class, architecture, tmp_path):
    trainer = make_trainer(
        trainer_class, tiny_model(architecture), tmp_path, max_steps=4, eval_strategy="steps", eval_steps=2
    )
    trainer.train()
    training = [log for log in trainer.state.log_history if "loss" in log]
    evaluation = [log for log in trainer.state.log_history if "eval_loss" in log]
    assert len(training) == 4 and len(evaluation) == 2
    for log in training:
        assert set(COMPONENTS) <= log.keys()
        assert log["loss"] == pytest.approx(log["ce_loss"] + 0.3 * log["ntl_loss"], rel=1e-5)
        assert 0 < log["number_mass"] < 1 and 0 < log["number_token_fraction"] < 1
    for log in evaluation:
        assert {f"eval_{name}" for name in COMPONENTS} <= log.keys()
        assert not set(COMPONENTS) & log.keys()


def test_trl_keeps_its_own_metrics(tmp_path):
    trainer = make_trainer(NTLSFTTrainer, tiny_model(), tmp_path)
    trainer.train()
    assert {"entropy", "mean_token_accuracy", "num_tokens"} <= trainer.state.log_history[0].keys()


def test_values_by_hand(tmp_path):
    """number_mass, number_mae and the fraction, from the model's own logits."""
    model = tiny_model()
    trainer = make_trainer(NTLTrainer, model, tmp_path, text_rows=3)
    trainer.model.eval()
    batch = next(iter(trainer.get_eval_dataloader()))
    with torch.no_grad():
        logits, labels = model(**batch).logits[:, :-1], batch["labels"][:, 1:]
    is_number = (labels >= 4) & (labels < 14)
    probs = logits.softmax(-1)[is_number][:, 4:14]
    expected = (probs / probs.sum(-1, keepdim=True)) @ torch.arange(10.0)
    metrics = trainer.evaluate()
    assert metrics["eval_number_mass"] == pytest.approx(float(probs.sum(-1).mean()), rel=1e-5)
    assert metrics["eval_number_mae"] == pytest.approx(
        float((expected - (labels[is_number] - 4)).abs().mean()), rel=1e-5
    )
    assert metrics["eval_number_token_fraction"] == pytest.approx(float(is_number.sum() / (labels != -100).sum()))


@pytest.mark.parametrize(("trainer_class", "architecture"), TRAINERS)
def test_evaluation_does_not_depend_on_its_batches(trainer_class, architecture, tmp_path):
    """Means over tokens of the whole set, not means of batch means; the same for predict, under its own prefix."""
    found = []
    for size in (1, 6):
        trainer = make_trainer(
            trainer_class, tiny_model(architecture), tmp_path / str(size), per_device_eval_batch_size=size
        )
        found.append(trainer.evaluate(metric_key_prefix="dev"))
    for name in COMPONENTS:
        assert found[0][f"dev_{name}"] == pytest.approx(found[1][f"dev_{name}"], rel=1e-5), name
    predicted = trainer.predict(trainer.eval_dataset).metrics
    assert predicted["test_number_mae"] == pytest.approx(found[1]["dev_number_mae"], rel=1e-5)


def test_gathered_once_per_log(tmp_path, monkeypatch):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=6, logging_steps=3, **PLAIN_STEP)
    shapes = []
    gather = trainer.accelerator.gather
    monkeypatch.setattr(trainer.accelerator, "gather", lambda t: shapes.append(tuple(t.shape)) or gather(t))
    trainer.train()
    assert shapes.count((1, 6)) == 2


def test_best_model_by_a_number_metric(tmp_path):
    trainer = make_trainer(
        NTLTrainer,
        tiny_model(),
        tmp_path,
        max_steps=4,
        eval_strategy="steps",
        eval_steps=1,
        save_strategy="best",
        metric_for_best_model="eval_number_mae",
        greater_is_better=False,
    )
    trainer.train()
    values = [log["eval_number_mae"] for log in trainer.state.log_history if "eval_number_mae" in log]
    assert trainer.state.best_metric == min(values)


def test_a_window_without_numbers_logs_nan_for_their_means(tmp_path):
    # The one row with a number comes in another step: without any, training is refused.
    trainer = make_trainer(
        NTLTrainer, tiny_model(), tmp_path, rows=8, text_rows=7, max_steps=8, per_device_train_batch_size=1
    )
    trainer.train()
    logs = [log for log in trainer.state.log_history if "loss" in log]
    empty = [log for log in logs if log["number_token_fraction"] == 0]
    assert len(empty) == 7
    assert all(math.isnan(log["number_mae"]) and log["ntl_loss"] == 0 for log in empty)
    assert all(math.isfinite(log["loss"]) and math.isfinite(log["grad_norm"]) for log in logs)


def test_the_schedule_is_in_force_and_logged(tmp_path):
    config = NTLConfig(weight=2.0, weight_schedule="linear", warmup_steps=2)
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=6, trainer_options={"ntl_config": config})
    trainer.train()
    logs = [log for log in trainer.state.log_history if "loss" in log]
    assert [log["ntl_weight"] for log in logs] == pytest.approx([0.0, 1.0, 2.0, 1.5, 1.0, 0.5])
    for log in logs:
        assert log["loss"] == pytest.approx(log["ce_loss"] + log["ntl_weight"] * log["ntl_loss"], rel=1e-5)


def test_a_callback_added_later_replaces_the_trainers_own(tmp_path):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=2)
    trainer.add_callback(NTLCallback("linear"))
    assert [type(c) for c in trainer.callback_handler.callbacks].count(NTLCallback) == 1
    trainer.train()
    weights = [log["ntl_weight"] for log in trainer.state.log_history if "loss" in log]
    assert weights == pytest.approx([0.3, 0.15])
    assert trainer.ntl_config.weight_schedule == "linear"


def test_eval_loss_has_the_full_weight_whatever_the_schedule(tmp_path):
    """Otherwise the last step would always look best."""
    trainer = make_trainer(
        NTLTrainer, tiny_model(), tmp_path, max_steps=3, learning_rate=0.0, eval_strategy="steps", eval_steps=1,
        ntl_weight_schedule="linear",
    )  # fmt: skip
    trainer.train()
    losses = [log["eval_loss"] for log in trainer.state.log_history if "eval_loss" in log]
    assert losses == pytest.approx([losses[0]] * 3)


def test_logs_of_one_training_do_not_reach_the_next(tmp_path):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=1, logging_steps=5)
    trainer.train()
    trainer.args.logging_steps, trainer.args.learning_rate = 1, 0.0
    trainer.train()
    log = next(log for log in reversed(trainer.state.log_history) if "loss" in log)
    assert log["loss"] == pytest.approx(log["ce_loss"] + 0.3 * log["ntl_loss"], rel=1e-5)


def test_a_callback_of_ones_own_sets_the_schedule(tmp_path):
    options = {"callbacks": [NTLCallback("cosine", warmup_steps=1)], "ntl_config": NTLConfig(weight=1.0)}
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, max_steps=3, trainer_options=options)
    assert trainer.ntl_config.weight_schedule == "cosine"
    trainer.train()
    weights = [log["ntl_weight"] for log in trainer.state.log_history if "loss" in log]
    assert weights == pytest.approx([0.0, 1.0, 0.5])
