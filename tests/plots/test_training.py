"""Pictures of evaluations in training: of every trainer and head, several sets, and when they are not wanted."""

import json

import numpy as np
import pytest
from transformers import Trainer, TrainingArguments
from trl import SFTConfig

from ntl_hf import (
    NTLCallback,
    NTLSeq2SeqTrainer,
    NTLSFTTrainer,
    NTLTrainer,
)
from ntl_hf.plots.beliefs import DigitBeliefs
from tests.build import make_trainer
from tests.plots.reference import beliefs_of, digits_of_rows
from tests.tiny import char_tokenizer, tiny_model, tokenized

pytest.importorskip("matplotlib", reason="matplotlib is not installed")

PICTURES = ("calibration", "confusion", "position")
CASES = [
    (NTLTrainer, "llama", "fused", 2),
    (NTLTrainer, "llama", "logits", 6),
    (NTLSeq2SeqTrainer, "t5", "fused", 6),
    (NTLSeq2SeqTrainer, "t5", "logits", 2),
    (NTLSFTTrainer, "llama", "fused", 2),
    (NTLSFTTrainer, "llama", "logits", 6),
]


def names(folder):
    return sorted(path.name for path in (folder / "plots").iterdir())


@pytest.mark.parametrize(("trainer_class", "architecture", "head", "batch_size"), CASES)
def test_the_numbers_are_those_of_a_plain_loop(trainer_class, architecture, head, batch_size, tmp_path):
    trainer = make_trainer(
        trainer_class,
        tiny_model(architecture),
        tmp_path,
        ntl_plots=True,
        ntl_head=head,
        per_device_eval_batch_size=batch_size,
    )
    digits = []
    for batch in trainer.get_eval_dataloader():
        digits += digits_of_rows(trainer.model, dict(batch), char_tokenizer().convert_tokens_to_ids("0"))
    trainer.evaluate()
    found = DigitBeliefs.load(tmp_path / "plots" / "000000-eval.json")
    wanted = beliefs_of(digits)
    assert sum(wanted["count"]) == len(digits) > 10
    for name, values in wanted.items():
        np.testing.assert_allclose(getattr(found, name), np.array(values, dtype=float), atol=1e-5, err_msg=name)
    assert names(tmp_path) == ["000000-eval-" + name + ".png" for name in PICTURES] + ["000000-eval.json"]


def test_every_evaluation_of_a_training_has_its_own(tmp_path):
    tokenizer = char_tokenizer()
    sets = {"easy/short": tokenized(tokenizer, 3, seed=1), "hard": tokenized(tokenizer, 5, seed=2)}
    trainer = make_trainer(
        NTLTrainer,
        tiny_model(),
        tmp_path,
        ntl_plots=True,
        max_steps=2,
        eval_strategy="steps",
        eval_steps=1,
        trainer_options={"eval_dataset": sets},
    )
    trainer.train()
    kept = {name for name in names(tmp_path) if name.endswith(".json")}
    assert kept == {f"00000{step}-eval_{name}.json" for step in (1, 2) for name in ("easy_short", "hard")}
    assert len(names(tmp_path)) == 4 * len(kept)
    found = [json.loads((tmp_path / "plots" / name).read_text()) for name in sorted(kept)]
    assert [(each["step"], each["prefix"]) for each in found] == [
        (step, prefix) for step in (1, 2) for prefix in ("eval_easy/short", "eval_hard")
    ]
    digits = [sum(4 <= label < 14 for row in rows["labels"] for label in row) for rows in sets.values()]
    assert [sum(each["count"]) for each in found] == digits * 2
    # What the log says of the same digits.
    for each in found:
        [line] = [
            line
            for line in trainer.state.log_history
            if line["step"] == each["step"] and f"{each['prefix']}_number_mae" in line
        ]
        errors = np.nansum(np.array(each["position_error"], dtype=float) * each["position_count"])
        assert errors / sum(each["count"]) == pytest.approx(line[f"{each['prefix']}_number_mae"], rel=1e-5)


def test_they_change_nothing_in_training(tmp_path):
    logs = []
    for plots in (False, True):
        trainer = make_trainer(
            NTLTrainer,
            tiny_model(),
            tmp_path / str(plots),
            ntl_plots=plots,
            max_steps=3,
            eval_strategy="steps",
            eval_steps=1,
        )
        trainer.train()
        quantities = ("loss", "grad_norm", "eval_loss", "eval_number_mae")
        logs.append([{name: line.get(name) for name in quantities} for line in trainer.state.log_history])
    assert logs[0] == logs[1]
    assert not (tmp_path / "False" / "plots").exists() and (tmp_path / "True" / "plots").exists()


@pytest.mark.parametrize(
    ("callback", "argument", "drawn"),
    [(True, False, True), (False, True, False), (None, True, True), (None, False, False)],
)
def test_the_callback_goes_before_the_arguments(callback, argument, drawn, tmp_path):
    options = {"callbacks": [NTLCallback(plots=callback)]}
    make_trainer(NTLTrainer, tiny_model(), tmp_path, ntl_plots=argument, trainer_options=options).evaluate()
    assert (tmp_path / "plots").exists() == drawn


def test_plain_arguments_and_a_callback_that_is_added_later(tmp_path):
    trainer = make_trainer(NTLSFTTrainer, tiny_model(), tmp_path, args_class=SFTConfig)
    trainer.evaluate()
    assert not (tmp_path / "plots").exists()
    trainer.add_callback(NTLCallback(plots=True))
    trainer.evaluate(metric_key_prefix="dev")
    assert "000000-dev-confusion.png" in names(tmp_path)


def test_a_prediction_has_none(tmp_path):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, ntl_plots=True)
    trainer.predict(trainer.eval_dataset)
    assert not (tmp_path / "plots").exists()


def test_only_the_main_process_draws(tmp_path, monkeypatch):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, ntl_plots=True)
    monkeypatch.setattr(trainer, "is_world_process_zero", lambda: False)
    assert "eval_number_mae" in trainer.evaluate()
    assert not (tmp_path / "plots").exists()


def test_without_matplotlib_it_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("ntl_hf.plots.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"`ntl_plots` needs matplotlib: pip install 'ntl-hf\[plots\]'"):
        make_trainer(NTLTrainer, tiny_model(), tmp_path, ntl_plots=True)
    make_trainer(NTLTrainer, tiny_model(), tmp_path).evaluate()


def test_another_trainer_cannot_draw(tmp_path):
    options = {"callbacks": [NTLCallback(plots=True)]}
    trainer = make_trainer(Trainer, tiny_model(), tmp_path, args_class=TrainingArguments, trainer_options=options)
    with pytest.raises(ValueError, match="leave `plots` out"):
        trainer.train()


def test_plots_without_evaluations_are_told(tmp_path):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, ntl_plots=True, max_steps=1)
    with pytest.warns(UserWarning, match="this training draws none"):
        trainer.train()


def test_a_picture_that_fails_is_no_reason_to_end_a_training(tmp_path, caplog):
    (tmp_path / "plots").write_text("a file where the folder should be")
    trainer = make_trainer(
        NTLTrainer, tiny_model(), tmp_path, ntl_plots=True, max_steps=2, eval_strategy="steps", eval_steps=1
    )
    trainer.train()
    assert trainer.state.global_step == 2
    assert "The plots of 'eval' were not drawn: FileExistsError" in caplog.text


def test_names_of_sets_are_no_formulas_and_fit_into_file_names(tmp_path):
    tokenizer = char_tokenizer()
    sets = {
        "cost $x_{ in $": tokenized(tokenizer, 3),
        "数据" * 100: tokenized(tokenizer, 3),
        "テス": tokenized(tokenizer, 3),
    }
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, ntl_plots=True, trainer_options={"eval_dataset": sets})
    trainer.evaluate()
    assert len(names(tmp_path)) == 4 * len(sets)


def test_a_prediction_inside_an_evaluation_takes_nothing_from_it(tmp_path):
    rows = tokenized(char_tokenizer(), 3)

    def predict(_):
        trainer.predict(rows.select([0]))
        return {}

    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, ntl_plots=True)
    alone = trainer.evaluate(rows)
    trainer.compute_metrics = lambda pairs: predict_once(trainer, predict, pairs)
    nested = trainer.evaluate(rows)
    assert {"eval_ce_loss", "eval_number_mae"} <= nested.keys()
    assert nested["eval_number_mae"] == pytest.approx(alone["eval_number_mae"], rel=1e-6)
    assert names(tmp_path) == ["000000-eval-" + name + ".png" for name in PICTURES] + ["000000-eval.json"]


def predict_once(trainer, predict, pairs):
    """As `compute_metrics`, which the prediction inside would call again."""
    trainer.compute_metrics = None
    return predict(pairs)
