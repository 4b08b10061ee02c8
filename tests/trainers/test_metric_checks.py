"""`metric_for_best_model` is refused before training where no evaluation can tell it, and only there."""

import math

import pytest
from datasets import IterableDataset
from transformers import EarlyStoppingCallback, TrainerCallback

from ntl_hf import NTLSFTTrainer, NTLTrainer
from tests.build import make_trainer
from tests.tiny import char_tokenizer, prompt_completion, tiny_model, tokenized
from tests.trainers.number_head_worker import build

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
