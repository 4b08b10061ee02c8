"""Losses beyond the paper's, sums of them and their balance: gradients, logs, checkpoints."""

import json
import math
from itertools import product

import pytest
import torch
from datasets import Dataset

from ntl_hf import (
    NTLConfig,
    NTLoss,
    NTLSeq2SeqTrainer,
    NTLSFTTrainer,
    NTLTrainer,
)
from ntl_hf.losses import NumberLoss
from ntl_hf.losses.balance import FILE_NAME, Balance
from ntl_hf.trainers.checkpoints import finish_checkpoint
from tests.build import first_step, make_trainer, parameters, relative_difference
from tests.pairwise import parametrize_pairwise
from tests.reference import step_gradients
from tests.tiers import by_tier
from tests.tiny import char_tokenizer, tiny_model, twin
from tests.trainers.gradients import PACKINGS, SPREADS, TOLERANCE
from tests.trainers.reference_terms import SETTINGS, TermSums

ANSWERS = ["-1,234.5", "7", "0.25 or 3", "12", "no idea", "-4", "98765", "1.2.3"]
TRAINERS = [NTLTrainer, NTLSFTTrainer, NTLSeq2SeqTrainer]
SUM = {"was": 0.3, "crps": 0.5, "energy": 0.2, "mmd": 0.3, "smmd": 0.2, "dist2": 0.4, "del": 0.05, "number": 0.1}


def spec(weights):
    return "+".join(f"{name}:{weight}" for name, weight in weights.items())


def rows_for(trainer_class, copies=1):
    tokenizer = char_tokenizer()
    rows = []
    for i, answer in enumerate(ANSWERS * copies):
        prompt = f"{i}+{3 * i}="
        ids, labels = (tokenizer(text)["input_ids"] for text in (prompt, answer))
        labels.append(tokenizer.eos_token_id)
        if trainer_class is NTLSFTTrainer:
            rows.append({"prompt": prompt, "completion": answer})
        elif trainer_class is NTLSeq2SeqTrainer:
            rows.append({"input_ids": ids, "labels": labels})
        else:
            rows.append({"input_ids": ids + labels, "labels": [-100] * len(ids) + labels})
    return Dataset.from_list(rows)


def build(trainer_class, folder, spread="8 x 1", model=None, copies=1, arguments=None, **config):
    size, steps = SPREADS[spread]
    model = model or tiny_model("t5" if trainer_class is NTLSeq2SeqTrainer else "llama")
    trainer = make_trainer(
        trainer_class,
        twin(model),
        folder,
        trainer_options={"ntl_config": NTLConfig(**config), "train_dataset": rows_for(trainer_class, copies)},
        **{"per_device_train_batch_size": size, "gradient_accumulation_steps": steps, **(arguments or {})},
    )
    return trainer, model


def check(trainer, model, weights, by_place=False):
    terms = TermSums(weights, by_place)
    gradients, batches = first_step(trainer)
    wanted, values = step_gradients(model, batches, weight=1.0, number_sum=terms)
    assert relative_difference(gradients, wanted) < TOLERANCE
    log = trainer.state.log_history[0]
    for name, value in values.items():
        assert log[name] == pytest.approx(value, rel=1e-5), name
    for name, total in terms.sums.items() if len(weights) > 1 else ():
        assert log[f"ntl_{name}_loss"] == pytest.approx(total / terms.numbers, rel=1e-5), name
    assert trainer.head_choice.is_fused is (trainer.ntl_config.head != "logits")


@parametrize_pairwise(trainer_class=TRAINERS, head=["fused", "logits"], spread=SPREADS)
def test_a_sum_of_losses_with_place_weights(trainer_class, head, spread, tmp_path):
    trainer, model = build(
        trainer_class, tmp_path, spread, loss=spec(SUM), place_weights="ntil", head=head, **SETTINGS
    )
    check(trainer, model, SUM, by_place=True)


@pytest.mark.parametrize("trainer_class", TRAINERS)
@pytest.mark.parametrize("head", ["fused", "logits"])
def test_raft_beside_another(trainer_class, head, tmp_path):
    weights = {"raft": 0.3, "crps": 0.5}
    trainer, model = build(trainer_class, tmp_path, "4 x 2", loss=spec(weights), head=head)
    check(trainer, model, weights)


@pytest.mark.parametrize("name", [*SUM, "raft"])
def test_each_loss_alone(name, tmp_path):
    trainer, model = build(NTLSFTTrainer, tmp_path, "4 x 2", loss=name, weight=0.4, **SETTINGS)
    gradients, batches = first_step(trainer)
    wanted, values = step_gradients(model, batches, weight=0.4, number_sum=TermSums({name: 1.0}))
    assert relative_difference(gradients, wanted) < TOLERANCE
    log = trainer.state.log_history[0]
    assert log["ntl_loss"] == pytest.approx(values["ntl_loss"], rel=1e-5)
    assert log["loss"] == pytest.approx(values["loss"], rel=1e-5)
    assert log["ntl_weight"] == 0.4 and f"ntl_{name}_loss" not in log


@pytest.mark.parametrize("packing", PACKINGS)
def test_packed_numbers_end_with_their_document(packing, tmp_path):
    weights = {"crps": 0.5, "number": 0.4}
    arguments = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, **PACKINGS[packing]}
    trainer, model = build(NTLSFTTrainer, tmp_path, copies=3, arguments=arguments, loss=spec(weights))
    check(trainer, model, weights)


def test_the_schedule_multiplies_the_weights_of_terms(tmp_path):
    trainer, _ = build(
        NTLTrainer, tmp_path, arguments={"max_steps": 4}, loss="crps:0.5+was", weight=0.2, weight_schedule="linear"
    )
    trainer.train()
    logs = [log for log in trainer.state.log_history if "loss" in log]
    assert [log["ntl_weight"] for log in logs] == pytest.approx([1.0, 0.75, 0.5, 0.25])
    for log in logs:
        number = 0.5 * log["ntl_crps_loss"] + 0.2 * log["ntl_was_loss"]
        assert log["ntl_loss"] == pytest.approx(number, rel=1e-5)
        assert log["loss"] == pytest.approx(log["ce_loss"] + log["ntl_weight"] * number, rel=1e-5)


def test_terms_of_an_evaluation(tmp_path):
    """Also equal to those of `NTLoss` on the model's logits."""
    trainer, model = build(NTLTrainer, tmp_path, loss="crps:0.5+number:0.1")
    metrics = trainer.evaluate(rows_for(NTLTrainer))
    batch = trainer.data_collator([dict(row) for row in rows_for(NTLTrainer)])
    with torch.no_grad():
        logits = model.eval()(**{k: v for k, v in batch.items() if k != "labels"}).logits
    found = {}
    for name in ("crps", "number"):
        found[name] = NTLoss(char_tokenizer(), loss=name)(logits, batch["labels"], shift=True)
        assert metrics[f"eval_ntl_{name}_loss"] == pytest.approx(float(found[name]), rel=1e-5)
    both = NTLoss(char_tokenizer(), loss="crps:0.5+number:0.1")(logits, batch["labels"], shift=True)
    assert float(both) == pytest.approx(float(0.5 * found["crps"] + 0.1 * found["number"]), rel=1e-5)
    assert metrics["eval_ntl_loss"] == pytest.approx(float(both), rel=1e-5)


# The balance

BALANCED = {"loss": "crps:0.5+number:0.1"}
DIGITS = torch.arange(10.0)


@pytest.mark.parametrize("head", ["fused", "logits"])
def test_balance_by_losses_worked_by_hand(head, tmp_path):
    trainer, _ = build(NTLTrainer, tmp_path, arguments={"max_steps": 4}, **BALANCED, balance="loss", head=head)
    trainer.train()
    logs = [log for log in trainer.state.log_history if "loss" in log]
    names, sizes, scales = ("ce_loss", "ntl_crps_loss", "ntl_number_loss"), None, (0.0, 0.0)
    for step, log in enumerate(logs):
        number = 0.5 * scales[0] * log["ntl_crps_loss"] + 0.1 * scales[1] * log["ntl_number_loss"]
        assert log["loss"] == pytest.approx(log["ce_loss"] + number, rel=1e-5)
        assert (log["ntl_loss"] == 0) == (step == 0), "the first step trains on CE alone"
        now = [log[name] for name in names]
        sizes = now if sizes is None else [0.9 * old + 0.1 * new for old, new in zip(sizes, now, strict=True)]
        scales = (sizes[0] / sizes[1], sizes[0] / sizes[2])
        assert (log["ntl_crps_scale"], log["ntl_number_scale"]) == pytest.approx(scales, rel=1e-5)


def test_balance_by_gradients_worked_by_hand(tmp_path):
    """Norms of the gradients with respect to the watched logits, each over its own count."""
    trainer, model = build(NTLTrainer, tmp_path, **BALANCED, balance="gradient")
    trainer.train()
    log = trainer.state.log_history[0]
    batch = trainer.data_collator([dict(row) for row in rows_for(NTLTrainer)])
    labels = batch.pop("labels")
    with torch.no_grad():
        logits = model(**batch).logits.double()
    logits.requires_grad_()
    aligned = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=-100)
    is_number, count = (aligned >= 4) & (aligned < 14), int((aligned != -100).sum())
    ce = torch.nn.functional.cross_entropy(logits.flatten(0, 1), aligned.flatten(), reduction="sum")
    norms = [torch.autograd.grad(ce, logits)[0][is_number][:, 4:14].norm() / count]
    for name in ("crps", "number"):
        total = TermSums({name: 1.0})(logits[:, :-1], labels[:, 1:])
        norms.append(torch.autograd.grad(total, logits)[0].norm() / is_number.sum())
    wanted = [float(norms[0] / norm) for norm in norms[1:]]
    assert [log["ntl_crps_scale"], log["ntl_number_scale"]] == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize(
    ("balance", "trainer_class"),
    by_tier(
        product(["loss", "gradient"], TRAINERS),
        [("loss", NTLTrainer), ("gradient", NTLSFTTrainer), ("gradient", NTLSeq2SeqTrainer)],
    ),
)
def test_balance_is_the_same_at_any_accumulation(balance, trainer_class, tmp_path):
    found = []
    for spread in ("8 x 1", "1 x 8"):
        trainer, model = build(
            trainer_class, tmp_path / spread, spread, arguments={"max_steps": 3}, **BALANCED, balance=balance
        )
        trainer.train()
        log = next(log for log in reversed(trainer.state.log_history) if "loss" in log)
        found.append((parameters(trainer.model), log["ntl_number_scale"]))
    assert relative_difference(found[0][0], found[1][0]) < 1e-5
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-4)
    assert relative_difference(found[0][0], parameters(model)) > 1e-4, "nothing was learnt"


@pytest.mark.parametrize("balance", ["loss", "gradient"])
def test_balance_goes_on_from_a_checkpoint(balance, tmp_path):
    saving = {"max_steps": 4, "save_strategy": "steps", "save_steps": 2}
    config = {**BALANCED, "balance": balance}
    whole, _ = build(NTLTrainer, tmp_path, arguments=saving, **config)
    whole.train()
    saved = json.loads((tmp_path / "checkpoint-2" / FILE_NAME).read_text())["sizes"].values()
    assert len(saved) == 3 and all(math.isfinite(size) and size > 0 for size in saved)
    resumed, _ = build(NTLTrainer, tmp_path, arguments={**saving, "save_strategy": "no"}, **config)
    resumed.train(str(tmp_path / "checkpoint-2"))
    assert relative_difference(parameters(resumed.model), parameters(whole.model)) < 1e-6
    # A new training starts anew.
    resumed._loss_side.balance.load(None)
    assert resumed.objective.number_loss.balance_factors.eq(0).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"kind": "loss", "sizes": {"ce": NaN, "crps": 1.0, "number": 1.0}}', "`sizes.ce` is nan"),
        ('{"kind": "loss", "sizes": {"ce": 1.0, "crps": Infinity, "number": 1.0}}', "`sizes.crps` is inf"),
        ('{"kind": "loss", "sizes": {"ce": 1.0, "crps": 1.0, "number": -1.0}}', r"`sizes.number` is -1\.0"),
        ('{"kind": "loss", "sizes": {"ce": true, "crps": 1.0, "number": 1.0}}', "`sizes.ce` is True"),
        ('{"kind": "loss", "sizes": {"ce": "1", "crps": 1.0, "number": 1.0}}', "`sizes.ce` is '1'"),
        ('{"kind": "loss", "sizes": {"ce": 1e39, "crps": 1.0, "number": 1.0}}', r"`sizes.ce` is 1e\+39"),
        ('{"kind": "loss", "sizes": [1, 2, 3]}', "must hold `kind`"),
        ('{"kind": 3, "sizes": null}', "must hold `kind`"),
        ('{"kind": "loss"}', "must hold `kind`"),
        ("[]", r"must hold names and values, not \[\]"),
        ("{", "is not valid JSON"),
    ],
)
def test_a_damaged_balance_is_refused_before_training(content, message, tmp_path):
    """A NaN in it would make every weight NaN, and the run would end as if all was well."""
    saving = {"max_steps": 2, "save_strategy": "steps", "save_steps": 1}
    trainer, model = build(NTLTrainer, tmp_path, arguments=saving, **BALANCED, balance="loss")
    checkpoint = tmp_path / "checkpoint-1"
    checkpoint.mkdir()
    trainer.state.save_to_json(str(checkpoint / "trainer_state.json"))
    model.config.save_pretrained(checkpoint)
    NTLConfig(**BALANCED, balance="loss").save(checkpoint)
    (checkpoint / FILE_NAME).write_text(content)
    finish_checkpoint(checkpoint)
    before = parameters(trainer.model)
    with pytest.raises(ValueError, match=f"{FILE_NAME}.*{message}.*Resume from another checkpoint, or remove"):
        trainer.train(str(checkpoint))
    assert relative_difference(parameters(trainer.model), before) == 0


def test_without_balance_nothing_is_written(tmp_path):
    trainer, _ = build(NTLTrainer, tmp_path, arguments={"save_strategy": "steps", "save_steps": 1}, **BALANCED)
    trainer.train()
    assert not (tmp_path / "checkpoint-1" / FILE_NAME).exists()
    assert "ntl_crps_scale" not in trainer.state.log_history[0]


def balanced(steps):
    """The scales of two terms after steps of [CE, labels, numbers, first, second]."""
    number_loss = NumberLoss(NTLConfig(loss="was+crps"), DIGITS)
    balance, found = Balance(number_loss, "loss"), []
    for step in steps:
        if step is not None:
            balance.add(torch.tensor(step))
        balance.step()
        found.append(number_loss.balance_factors.tolist())
    return found


def test_balance_alone():
    first, second = [8.0, 4.0, 2.0, 2.0, 0.0], [8.0, 4.0, 2.0, 4.0, 1.0]
    assert balanced([first]) == [[2.0, 1000.0]]
    assert balanced([first, second])[1] == pytest.approx([2 / 1.1, 2 / 0.05], rel=1e-5)
    assert balanced([first, None, second])[2] == pytest.approx([2 / 1.1, 2 / 0.05], rel=1e-5)


def test_steps_without_numbers_say_nothing():
    nothing, some = [8.0, 4.0, 0.0, 0.0, 0.0], [8.0, 4.0, 2.0, 2.0, 4.0]
    assert balanced([nothing, nothing, some]) == [[0.0, 0.0], [0.0, 0.0], [2.0, 1.0]]
    assert balanced([some, nothing]) == [[2.0, 1.0]] * 2


@pytest.mark.parametrize("size", [float("inf"), float("nan")])
def test_a_size_out_of_range_says_nothing(size):
    some = [8.0, 4.0, 2.0, 2.0, 4.0]
    assert balanced([some, [8.0, 4.0, 2.0, size, 4.0], some]) == [[2.0, 1.0]] * 3


def test_the_scales_follow_the_module():
    number_loss = NumberLoss(NTLConfig(loss="was+crps"), DIGITS)
    balance = Balance(number_loss, "loss")
    number_loss.double()  # as a move to another device, this makes other buffers
    balance.add(torch.tensor([8.0, 4.0, 2.0, 2.0, 4.0]))
    balance.step()
    assert number_loss.balance_factors.tolist() == [2.0, 1.0]


def make_balance(loss, kind="loss"):
    number_loss = NumberLoss(NTLConfig(loss=loss), DIGITS)
    return Balance(number_loss, kind), number_loss


def test_a_balance_that_knows_nothing_is_kept(tmp_path):
    make_balance("was+crps")[0].save(tmp_path)
    other, number_loss = make_balance("was+crps")
    other.load(tmp_path)
    assert number_loss.balance_factors.eq(0).all()
    assert json.loads((tmp_path / FILE_NAME).read_text()) == {"kind": "loss", "sizes": None}


def test_a_balance_is_read_by_the_names_of_its_terms(tmp_path):
    balance, _ = make_balance("was+crps")
    balance.add(torch.tensor([8.0, 4.0, 2.0, 2.0, 4.0]))
    balance.step()
    balance.save(tmp_path)
    swapped, number_loss = make_balance("crps+was")
    swapped.load(tmp_path)
    assert number_loss.balance_factors.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(("loss", "kind"), [("was", "loss"), ("was+crps+mmd", "loss"), ("was+crps", "gradient")])
def test_another_balance_starts_anew(loss, kind, tmp_path):
    balance, _ = make_balance("was+crps")
    balance.add(torch.tensor([8.0, 4.0, 2.0, 2.0, 4.0]))
    balance.step()
    balance.save(tmp_path)
    other, number_loss = make_balance(loss, kind)
    with pytest.warns(UserWarning, match="starts anew"):
        other.load(tmp_path)
    assert number_loss.balance_factors.eq(0).all()


def test_the_balance_is_not_in_evaluation(tmp_path):
    """`eval_loss` is to compare steps with each other."""
    trainer, _ = build(NTLTrainer, tmp_path, **{**BALANCED, "balance": "loss"})
    loss = trainer.evaluate(trainer.train_dataset)["eval_loss"]
    trainer.objective.number_loss.balance_factors.fill_(7.0)
    again = trainer.evaluate(trainer.train_dataset)
    assert again["eval_loss"] == loss
    parts = again["eval_ce_loss"] + trainer.ntl_config.scale * again["eval_ntl_loss"]
    assert again["eval_loss"] == pytest.approx(parts)
