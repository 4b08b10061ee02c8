"""What a resumed run is told: which settings are not used, that rows come in another order, what else is there."""

import json

import pytest
import torch
from transformers import Trainer, TrainingArguments

from ntl_hf import NTLTrainer
from ntl_hf.trainers.checkpoints import MANIFEST
from tests.build import make_trainer, parameters, relative_difference
from tests.systems.trainer_worker import build
from tests.tiny import tiny_model

SETTINGS = {"save_strategy": "steps", "save_steps": 2, "rows": 16, "per_device_train_batch_size": 2}


def trainer(folder, trainer_class=NTLTrainer, args_class=None, **changes):
    settings = {"max_steps": 2, "optim": "adamw_torch", **SETTINGS, **changes}
    return make_trainer(trainer_class, tiny_model(), folder, args_class, **settings)


def resumed(folder, **changes):
    each = trainer(folder, max_steps=4, save_steps=4, **changes)
    each.train(str(folder / "checkpoint-2"))
    return each


LAST = "checkpoint-4"
CHANGES = {
    "learning_rate": (0.5, "learning_rate 0.5 is not used: the optimizer goes on with 0.05"),
    "weight_decay": (0.25, "weight_decay 0.25 is not used: the optimizer goes on with 0.0"),
    "adam_beta1": (0.5, "adam_beta1 0.5 is not used: the optimizer goes on with 0.9"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_the_optimizer_has_goes_on_and_is_what_the_files_tell(name, tmp_path, caplog):
    trainer(tmp_path).train()
    plain = parameters(resumed(tmp_path).model)
    assert "other settings than it was trained with" not in caplog.text
    value, told = CHANGES[name]
    other = resumed(tmp_path, **{name: value})
    assert relative_difference(parameters(other.model), plain) == 0
    assert caplog.text.count("other settings than it was trained with: ") == caplog.text.count(f"{told}.") == 1
    saved = torch.load(tmp_path / "checkpoint-4" / "training_args.bin", weights_only=False)
    assert getattr(saved, name) == getattr(trainer(tmp_path).args, name)
    # Nothing differs any more where the next one goes on.
    assert json.loads((tmp_path / "checkpoint-4" / MANIFEST).read_text())["settings"][name] == getattr(saved, name)


def test_without_a_state_of_the_optimizer_the_settings_are_used(tmp_path, caplog):
    trainer(tmp_path, save_only_model=True).train()
    with pytest.warns(UserWarning, match="no state of the optimizer"):
        assert resumed(tmp_path, learning_rate=0.5).args.learning_rate == 0.5
    assert "is not used" not in caplog.text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": 3}, "seed 3 and not 7"),
        ({"data_seed": 3}, "data_seed 3 and not None"),
        ({"gradient_accumulation_steps": 2}, "gradient_accumulation_steps 2 and not 1"),
        ({"per_device_train_batch_size": 4}, "per_device_train_batch_size 4 and not 2"),
        ({"train_sampling_strategy": "sequential"}, "train_sampling_strategy sequential and not random"),
    ],
)
def test_another_order_of_rows_is_said(changes, told, tmp_path, caplog):
    trainer(tmp_path).train()
    plain = parameters(resumed(tmp_path).model)
    assert "order of the rows" not in caplog.text
    other = parameters(resumed(tmp_path, **changes).model)
    assert relative_difference(other, plain) > 0
    assert caplog.text.count(f"the order of the rows is another ({told})") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 2},
        {"data_seed": 7},
    ],
)
def test_what_leaves_the_rows_as_they_are_is_not_said(changes, tmp_path, caplog):
    trainer(tmp_path).train()
    plain = parameters(resumed(tmp_path).model)
    assert relative_difference(parameters(resumed(tmp_path, **changes).model), plain) < 1e-4
    resumed(tmp_path, seed=3, ignore_data_skip=True)
    assert "order of the rows" not in caplog.text


@pytest.mark.parametrize("record", [None, {}, {"learning_rate": "0.1", "later": 3}])
def test_a_checkpoint_without_a_record_is_resumed(record, tmp_path, caplog):
    trainer(tmp_path).train()
    path = tmp_path / "checkpoint-2" / MANIFEST
    manifest = json.loads(path.read_text())
    del manifest["settings"]
    path.write_text(json.dumps(manifest if record is None else {**manifest, "settings": record}))
    resumed(tmp_path, learning_rate=0.5, seed=3)
    assert "other settings than" not in caplog.text


def test_number_heads(tmp_path, caplog):
    settings = {"save_strategy": "steps", "save_steps": 1}
    build("regression_head", "llama", tmp_path, max_steps=1, **settings).train()
    again = build("regression_head", "llama", tmp_path, max_steps=2, learning_rate=0.5, **settings)
    again.train(True)
    assert "learning_rate 0.5 is not used" in caplog.text and again.args.learning_rate != 0.5


def test_starting_anew_beside_checkpoints_of_another_run_is_said(tmp_path, caplog):
    trainer(tmp_path, max_steps=4).train()
    for begin in (None, False):
        caplog.clear()
        trainer(tmp_path, max_steps=2).train(begin)
        line = f"starts anew in a folder with checkpoints of an earlier run, the last of which is {tmp_path / LAST}."
        assert caplog.text.count(line) == 1 and "`resume_from_checkpoint=True` takes the last step" in caplog.text


def test_nothing_is_said_where_there_is_no_other_run(tmp_path, caplog):
    trainer(tmp_path).train()
    trainer(tmp_path, max_steps=4).train("auto")
    (tmp_path / "half" / "checkpoint-9").mkdir(parents=True)
    trainer(tmp_path / "half").train()
    assert "starts anew" not in caplog.text


# ---- Damaged files: of a stock trainer's checkpoint, whose sizes nobody has noted ----

DAMAGED = [
    *(("config.json", content) for content in ("[]", "null", "{", "")),
    *(("tokenizer_config.json", content) for content in ("[]", "{")),
    *(("tokenizer.json", content) for content in ("[]", "{")),
    *(("trainer_state.json", content) for content in ("{", "[]", "null", "{}", '{"global_step": "2"}')),
    *(("trainer_state.json", f'{{"global_step": {value}}}') for value in ("NaN", "-1", "true", "1.5", "null", "[]")),
    *(("trainer_state.json", f'{{"global_step": 2, "epoch": {value}}}') for value in ("NaN", "-1", '"1"', "Infinity")),
    ("trainer_state.json", '{"global_step": 2, "log_history": 3}'),
    ("trainer_state.json", '{"global_step": 2, "log_history": [3]}'),
    ("trainer_state.json", '{"global_step": 2, "unheard_of": 3}'),
]


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stock")
    trainer(folder, Trainer, TrainingArguments).train()
    return folder / "checkpoint-2"


@pytest.mark.parametrize(("name", "content"), DAMAGED)
def test_damaged_files_are_refused_in_one_line(name, content, stock, tmp_path):
    whole = (stock / name).read_text()
    (stock / name).write_text(content)
    each = trainer(tmp_path, max_steps=4)
    try:
        with pytest.raises(ValueError, match=rf"checkpoint-2/{name}.* Resume from another checkpoint\.$") as caught:
            each.train(str(stock))
    finally:
        (stock / name).write_text(whole)
    assert "\n" not in str(caught.value) and each.state.global_step == 0


def test_a_whole_one_is_none_of_these(stock, tmp_path):
    each = trainer(tmp_path, max_steps=4)
    with pytest.warns(UserWarning, match="not trained with the number loss"):
        each.train(str(stock))
    assert each.state.global_step == 4
