"""`metric_for_best_model` is refused before training where no evaluation can tell it, and only there."""

import math

import pytest
import torch
from datasets import IterableDataset
from transformers import EarlyStoppingCallback, TrainerCallback, TrainingArguments
from trl import SFTConfig

from ntl_hf import NTLSFTTrainer, NTLTrainer
from ntl_hf.trainers.checkpoints import list_checkpoints
from tests.build import make_trainer
from tests.pairwise import parametrize_pairwise
from tests.systems.trainer_worker import build
from tests.tiny import char_tokenizer, prompt_completion, tiny_model, tokenized

TEXTS = {"n": 6, "text_rows": 6}
NAN = ("number_mae", "eval_number_mae", "eval_number_mass", "eval_ntl_loss")


def make(kind, folder, metric, evaluation, **more):
    options = {"eval_dataset": evaluation, **more.pop("options", {})}
    settings = {
        "max_steps": 2,
        "eval_strategy": "steps",
        "eval_steps": 1,
        "save_strategy": "steps",
        "save_steps": 1,
        "load_best_model_at_end": True,
        **more,
    }
    model = tiny_model()
    return make_trainer(kind, model, folder, trainer_options=options, metric_for_best_model=metric, **settings)


def rows_of(kind, **of):
    return prompt_completion(**of) if kind is NTLSFTTrainer else tokenized(char_tokenizer(), **of)


@pytest.mark.parametrize("kind", [NTLTrainer, NTLSFTTrainer])
@pytest.mark.parametrize("metric", NAN)
@pytest.mark.parametrize("weight", [0.3, 0.0])
def test_no_numbers_to_evaluate_on(kind, metric, weight, tmp_path):
    trainer = make(kind, tmp_path, metric, rows_of(kind, **TEXTS), ntl_weight=weight)
    with pytest.raises(ValueError, match=r"is 'eval_.*no label of the evaluation set is a number token"):
        trainer.train()
    assert trainer.state.global_step == 0


@pytest.mark.parametrize("kind", [NTLTrainer, NTLSFTTrainer])
@pytest.mark.parametrize("metric", ["loss", "ce_loss", "eval_loss"])
def test_other_metrics_need_none(kind, metric, tmp_path):
    trainer = make(kind, tmp_path, metric, rows_of(kind, **TEXTS))
    trainer.train()
    assert math.isfinite(trainer.state.best_metric) and trainer.state.best_model_checkpoint is not None


def test_terms_of_a_sum(tmp_path):
    texts, numbers = rows_of(NTLTrainer, **TEXTS), rows_of(NTLTrainer, n=6)
    with pytest.raises(ValueError, match=r"eval_ntl_crps_loss.*number token"):
        make(NTLTrainer, tmp_path, "ntl_crps_loss", texts, ntl_loss="crps+was").train()
    assert make(NTLTrainer, tmp_path, "ntl_crps_loss", numbers, ntl_loss="crps+was").train().global_step == 2


def test_several_sets(tmp_path):
    sets = {"texts": rows_of(NTLTrainer, **TEXTS), "numbers": rows_of(NTLTrainer, n=6)}
    assert make(NTLTrainer, tmp_path, "eval_numbers_number_mae", sets).train().global_step == 2
    with pytest.raises(ValueError, match=r"'eval_texts_number_mae', and no label.*'eval_texts_loss'"):
        make(NTLTrainer, tmp_path, "texts_number_mae", sets).train()
    # The stock trainer finds out at its first evaluation.
    with pytest.raises(ValueError, match=r"'eval_loss', which no evaluation has. Did you mean 'eval_texts_loss'"):
        make(NTLTrainer, tmp_path, "loss", sets).train()


def test_names_that_no_evaluation_has(tmp_path):
    numbers = rows_of(NTLTrainer, n=6)
    with pytest.raises(
        ValueError, match=r"'eval_number_mea', which no evaluation has. Did you mean 'eval_number_mae'"
    ):
        make(NTLTrainer, tmp_path, "number_mea", numbers).train()
    with pytest.raises(ValueError, match=r"which no evaluation has.* There are: eval_loss"):
        trainer = build(
            "regression_head", "llama", tmp_path, eval_strategy="steps", metric_for_best_model="number_mae"
        )
        trainer.train()
    for trainer_class, metric in ((NTLSFTTrainer, "mean_token_accuracy"), (NTLTrainer, "model_preparation_time")):
        make(trainer_class, tmp_path, metric, rows_of(trainer_class, n=6)).check_training_data()


class Adds(TrainerCallback):
    def on_evaluate(self, *args, metrics=None, **kwargs):
        metrics["eval_mine"] = 1.0


def test_whoever_may_add_metrics_is_believed(tmp_path):
    numbers = rows_of(NTLTrainer, n=6)
    by_callback = {"callbacks": [Adds()]}
    assert make(NTLTrainer, tmp_path / "a", "mine", numbers, options=by_callback).train().global_step == 2
    by_function = {"compute_metrics": lambda prediction: {"mine": 1.0}}
    assert make(NTLTrainer, tmp_path / "b", "mine", numbers, options=by_function).train().global_step == 2
    with pytest.raises(ValueError, match=r"no evaluation has"):
        make(NTLTrainer, tmp_path / "c", "mine", numbers, options={"callbacks": [EarlyStoppingCallback()]}).train()


def test_without_evaluation_it_is_no_matter(tmp_path):
    texts = rows_of(NTLTrainer, **TEXTS)
    settings = {"eval_strategy": "no", "load_best_model_at_end": False}
    assert make(NTLTrainer, tmp_path, "number_mae", texts, **settings).train().global_step == 2


def test_a_stream_is_told_at_its_first_evaluation_once(tmp_path, caplog):
    stream = IterableDataset.from_generator(lambda: iter(rows_of(NTLTrainer, **TEXTS)))
    trainer = make(NTLTrainer, tmp_path, "number_mae", stream)
    trainer.train()
    assert trainer.state.global_step == 2
    assert caplog.text.count("`metric_for_best_model` eval_number_mae is NaN at step 1") == 1
    assert caplog.text.count("is NaN at step") == 1


DIRECTIONS = [("eval_number_mae", False), ("number_mae", False), ("number_mass", True), ("ce_loss", False)]


def let_it_be(trainer, name, values):
    """Replace a metric of the evaluations."""
    values, stock = list(values), trainer.evaluation_loop

    def evaluation_loop(*args, **kwargs):
        output = stock(*args, **kwargs)
        output.metrics[name] = values.pop(0)
        return output

    trainer.evaluation_loop = evaluation_loop


@parametrize_pairwise(direction=DIRECTIONS, kind=[NTLTrainer, NTLSFTTrainer], plain=[False, True])
def test_the_best_is_the_best_by_our_own_metrics(direction, kind, plain, tmp_path, caplog):
    """And so is the one that the limit keeps, whatever the arguments took for better."""
    metric, greater = direction
    stock = {NTLTrainer: TrainingArguments, NTLSFTTrainer: SFTConfig}
    settings = {"args_class": stock[kind]} if plain else {}
    trainer = make(kind, tmp_path, metric, rows_of(kind, n=6), max_steps=4, save_total_limit=1, **settings)
    name = metric if metric.startswith("eval_") else f"eval_{metric}"
    let_it_be(trainer, name, [3.0, 1.0, 2.0, 4.0])
    trainer.train()
    logged = [log[name] for log in trainer.state.log_history if name in log]
    assert sorted(logged) == [1.0, 2.0, 3.0, 4.0]
    assert trainer.state.best_metric == (max(logged) if greater else min(logged))
    assert trainer.state.best_global_step == (4 if greater else 2)
    assert [each.name for each in list_checkpoints(tmp_path)] == [f"checkpoint-{4 if greater else 2}"]
    assert caplog.text.count("is better when lower: `greater_is_better` is set to False") == ("mae" in metric)


def test_what_arguments_say_of_our_own_metrics_is_corrected(tmp_path, caplog):
    trainer = make(NTLTrainer, tmp_path, "number_mass", rows_of(NTLTrainer, n=6), greater_is_better=False)
    trainer.train()
    assert trainer.args.greater_is_better and "eval_number_mass is better when greater" in caplog.text
    by_function = {"compute_metrics": lambda prediction: {"mine": 1.0}}
    trainer = make(NTLTrainer, tmp_path, "mine", rows_of(NTLTrainer, n=6), options=by_function)
    trainer.train()
    assert trainer.args.greater_is_better


def test_the_direction_in_one_of_several_sets(tmp_path):
    sets = {"a": rows_of(NTLTrainer, n=6), "b": rows_of(NTLTrainer, n=6)}
    trainer = make(NTLTrainer, tmp_path, "b_number_mae", sets)
    trainer.train()
    logged = [log["eval_b_number_mae"] for log in trainer.state.log_history if "eval_b_number_mae" in log]
    assert len(logged) == 2 and trainer.state.best_metric == min(logged)


def test_early_stopping_counts_what_does_not_fall(tmp_path):
    early = {"callbacks": [EarlyStoppingCallback(early_stopping_patience=2)]}
    trainer = make(NTLTrainer, tmp_path, "number_mae", rows_of(NTLTrainer, n=6), max_steps=6, options=early)
    let_it_be(trainer, "eval_number_mae", [5.0, 4.0, 3.0, 3.5, 3.6, 0.0])
    trainer.train()
    assert trainer.state.global_step == 5 and trainer.state.best_global_step == 3


def test_a_resumed_run_goes_on_in_the_same_direction(tmp_path):
    def trainer(values, **settings):
        each = make(NTLTrainer, tmp_path, "number_mae", rows_of(NTLTrainer, n=6), **settings)
        let_it_be(each, "eval_number_mae", values)
        return each

    trainer([2.0, 1.0], max_steps=2).train()
    resumed = trainer([3.0, 0.5], max_steps=4)
    resumed.train(True)
    assert resumed.state.best_metric == 0.5 and resumed.state.best_global_step == 4
    assert not torch.load(tmp_path / "checkpoint-4" / "training_args.bin", weights_only=False).greater_is_better


@pytest.mark.parametrize("metric", ["mean_token_accuracy", "eval_entropy", "num_tokens"])
def test_metrics_of_trl_are_in_its_trainer_alone(metric, tmp_path):
    with pytest.raises(ValueError, match=r"which no evaluation has"):
        make(NTLTrainer, tmp_path / "a", metric, rows_of(NTLTrainer, n=6)).train()
    with pytest.raises(ValueError, match=r"'eval_aux_loss', which no evaluation has"):
        make(NTLSFTTrainer, tmp_path / "b", "aux_loss", rows_of(NTLSFTTrainer, n=6)).train()
    sets = {"a": rows_of(NTLSFTTrainer, n=6), "b": rows_of(NTLSFTTrainer, n=6)}
    for each in (sets["a"], sets):
        assert make(NTLSFTTrainer, tmp_path / "c", metric, each).train().global_step == 2


def test_the_refusal_lists_what_is_there(tmp_path):
    sets = {"a": rows_of(NTLSFTTrainer, n=6), "b": rows_of(NTLSFTTrainer, n=6)}
    trainer = make(NTLSFTTrainer, tmp_path, "a_mean_token_accuracy", sets)
    with pytest.raises(ValueError, match=r"mean 'eval_mean_token_accuracy'.* eval_b_number_mae, .*eval_entropy, "):
        trainer.train()


@pytest.mark.parametrize(
    ("metric", "meant"),
    [("mae", "number_mae"), ("mass", "number_mass"), ("fraction", "number_token_fraction"), ("time", None)],
)
def test_only_what_tells_good_from_bad_is_suggested(metric, meant, tmp_path):
    with pytest.raises(ValueError, match="which no evaluation has") as caught:
        make(NTLTrainer, tmp_path, metric, rows_of(NTLTrainer, n=6)).train()
    hint = f"Did you mean 'eval_{meant}'?"
    assert hint in str(caught.value) if meant else "Did you mean" not in str(caught.value)
