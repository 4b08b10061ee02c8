"""What a step is divided by is counted once, and nothing that is counted beside it changes it."""

from typing import Any

import pytest
from transformers import Trainer, TrainerCallback

from ntl_hf import NTLConfig, NTLSFTConfig, NTLSFTTrainer, NTLTrainer, NTLTrainingArguments
from tests.build import make_trainer, parameters, relative_difference
from tests.tiny import tiny_model

SETTINGS: dict[str, Any] = {
    "rows": 16,
    "max_steps": 3,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 4,
}


def trained(folder: Any, trainer_class: Any = NTLTrainer, callback: Any = None, **options: Any) -> Any:
    config = NTLConfig(weight=5.0, **options)
    args_class = NTLSFTConfig if issubclass(trainer_class, NTLSFTTrainer) else NTLTrainingArguments
    more = {"args_class": args_class, "trainer_options": {"ntl_config": config}}
    trainer = make_trainer(trainer_class, tiny_model(), folder, **more, **SETTINGS)
    if callback is not None:
        trainer.add_callback(callback(trainer))
    trainer.train()
    return trainer


class Predicts(TrainerCallback):
    """Evaluates a batch in the middle of a step, between its counting and its last micro-batch."""

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer
        self.batch = trainer.data_collator([trainer.eval_dataset[0]])

    def predict(self) -> None:
        self.trainer.model.eval()
        self.trainer.prediction_step(self.trainer.model, dict(self.batch), True)
        self.trainer.model.train()

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self.predict()

    def on_substep_end(self, *args: Any, **kwargs: Any) -> None:
        self.predict()


@pytest.mark.parametrize("loss", ["was", "number"])
def test_a_prediction_within_a_step(loss, tmp_path):
    plain, probed = (trained(tmp_path / str(i), callback=each, loss=loss) for i, each in enumerate((None, Predicts)))
    assert relative_difference(parameters(probed.model), parameters(plain.model)) == 0


class CountsItself(NTLTrainer):
    def _get_num_items_in_batch(self, batch_samples: Any, device: Any) -> Any:
        return Trainer._get_num_items_in_batch(self, batch_samples, device)


def test_a_count_of_labels_that_is_replaced(tmp_path):
    own = trained(tmp_path / "own", CountsItself)
    assert relative_difference(parameters(own.model), parameters(trained(tmp_path / "plain").model)) < 1e-6


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_samples_that_are_fetched_by_somebody_else(trainer_class, tmp_path, monkeypatch):
    """As libraries do it that count the labels in a `get_batch_samples` of their own."""
    plain = trained(tmp_path / "plain", trainer_class)

    def fetch(self: Any, epoch_iterator: Any, num_batches: int, device: Any) -> Any:
        batches = [next(epoch_iterator) for _ in range(num_batches)]
        return batches, sum((batch["labels"][:, 1:] != -100).sum() for batch in batches)

    monkeypatch.setattr(Trainer, "get_batch_samples", fetch)
    replaced = trained(tmp_path / "replaced", trainer_class)
    assert relative_difference(parameters(replaced.model), parameters(plain.model)) < 1e-6


class Doubles(TrainerCallback):
    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self.trainer.ntl_config.weight = 10.0


def test_a_weight_that_a_callback_sets_is_in_force_and_logged(tmp_path):
    trainer = trained(tmp_path, callback=Doubles)
    assert [log["ntl_weight"] for log in trainer.state.log_history if "ntl_weight" in log] == [10.0] * 3
