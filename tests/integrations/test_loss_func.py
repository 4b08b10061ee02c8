"""`ntl_loss_func` in a stock Trainer: the step of `NTLTrainer` where that is promised, and no wrong one in silence."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, Trainer, TrainingArguments
from transformers.modeling_outputs import CausalLMOutputWithPast, MaskedLMOutput, Seq2SeqLMOutput
from trl import SFTConfig, SFTTrainer

from ntl_hf import (
    NTLConfig,
    NTLoss,
    NTLSFTTrainer,
    NTLTrainer,
    NTLTrainingArguments,
    NumberVocab,
    ntl_loss_func,
)
from tests.build import make_args, make_trainer, parameters, relative_difference
from tests.tiny import char_tokenizer, tiny_model, twin

from .stock import CONFIG, loss_func_options, ntl_trainer, stock_trainer, trained, twins

CE_ALONE = NTLConfig(weight=0.0)
CONFIGS = {
    "was": CONFIG,
    "terms that read numbers": NTLConfig(loss="crps:0.5+number:0.1", place_weights="ntil"),
    "reweighed": NTLConfig(loss="mae", reweigh=True),
    "soft targets": NTLConfig(gaussian_sigma=0.8),
    "scheduled": NTLConfig(weight=0.9, weight_schedule="linear", warmup_steps=2),
}
SPLITS = [(8, 1), (2, 4), (1, 8)]


def split(rows: int, steps: int) -> dict[str, Any]:
    return {"per_device_train_batch_size": rows, "gradient_accumulation_steps": steps}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("architecture", ["llama", "t5"])
def test_the_steps_are_those_of_our_trainer(architecture: str, name: str, tmp_path: Any) -> None:
    stock, ours = twins(architecture)
    options = loss_func_options(CONFIGS[name])
    loss, found = trained(stock_trainer(stock, tmp_path, options, max_steps=4, learning_rate=0.01))
    wanted_loss, wanted = trained(ntl_trainer(ours, tmp_path, CONFIGS[name], max_steps=4, learning_rate=0.01))
    assert loss == pytest.approx(wanted_loss, rel=1e-6)
    assert relative_difference(found, wanted) < 1e-6


def test_a_masked_language_model_is_not_shifted(tmp_path: Any) -> None:
    config = BertConfig(
        vocab_size=64, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=48,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    stock = BertForMaskedLM(config).train()
    ours = twin(stock)
    loss, found = trained(stock_trainer(stock, tmp_path, loss_func_options()))
    wanted_loss, wanted = trained(ntl_trainer(ours, tmp_path))
    assert loss == pytest.approx(wanted_loss, rel=1e-6)
    assert relative_difference(found, wanted) < 1e-6


@pytest.mark.parametrize(("rows", "steps"), SPLITS)
def test_cross_entropy_alone_is_the_stock_step_however_it_is_split(rows: int, steps: int, tmp_path: Any) -> None:
    model, plain = twins("llama")
    whole = twin(model)
    loss, found = trained(stock_trainer(model, tmp_path, loss_func_options(CE_ALONE), **split(rows, steps)))
    plain_loss, wanted = trained(stock_trainer(plain, tmp_path, {}, **split(rows, steps)))
    _, of_whole = trained(stock_trainer(whole, tmp_path, {}))
    assert loss == pytest.approx(plain_loss, rel=1e-6)
    assert relative_difference(found, wanted) < 1e-6
    assert relative_difference(found, of_whole) < 1e-6


@pytest.mark.parametrize(("rows", "steps"), SPLITS[1:])
def test_cross_entropy_of_an_encoder_decoder_does_not_depend_on_the_split(
    rows: int, steps: int, tmp_path: Any
) -> None:
    """As the stock Trainer's alone does."""
    model, whole = twins("t5")
    stock = twin(model)
    _, found = trained(stock_trainer(model, tmp_path, loss_func_options(CE_ALONE), **split(rows, steps)))
    _, wanted = trained(stock_trainer(whole, tmp_path, {}))
    _, plain = trained(stock_trainer(stock, tmp_path, {}, **split(rows, steps)))
    assert relative_difference(found, wanted) < 1e-6
    assert relative_difference(plain, wanted) > 1e-3


@pytest.mark.parametrize(("rows", "steps"), SPLITS[1:])
def test_under_accumulation_the_step_is_near_to_that_of_our_trainer(rows: int, steps: int, tmp_path: Any) -> None:
    stock, ours = twins("llama")
    start = parameters(stock)
    _, found = trained(stock_trainer(stock, tmp_path, loss_func_options(), **split(rows, steps)))
    _, wanted = trained(ntl_trainer(ours, tmp_path, **split(rows, steps)))
    updates = [{name: value - start[name] for name, value in end.items()} for end in (found, wanted)]
    # A wrong factor would be that of the accumulation steps, 4 or 8.
    assert 1e-3 < relative_difference(*updates) < 0.1


def outputs_of(logits: Any) -> CausalLMOutputWithPast:
    return CausalLMOutputWithPast(logits=logits)


def random_batch(rows: int = 6, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, 40, (rows, 9), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.3] = -100
    return torch.randn(rows, 9, 64, generator=generator, dtype=torch.float64), labels


def test_the_sum_over_micro_batches_is_what_the_docstring_says() -> None:
    loss_func, ntl = ntl_loss_func(char_tokenizer(), CONFIG), NTLoss(char_tokenizer())
    logits, labels = random_batch()
    counts = (labels[:, 1:] != -100).sum(1)
    parts = [(logits[i : i + 2], labels[i : i + 2], counts[i : i + 2].sum()) for i in (0, 2, 4)]
    found = sum(loss_func(outputs_of(z), y, num_items_in_batch=counts.sum()) for z, y, _ in parts)
    ce = ntl.with_cross_entropy(logits, labels, shift=True)[0]
    means = [ntl(z, y, shift=True) for z, y, _ in parts]
    wanted = ce + CONFIG.weight * sum(n * mean for (_, _, n), mean in zip(parts, means, strict=True)) / counts.sum()
    assert float(found) == pytest.approx(float(wanted), rel=1e-12)
    assert ce + CONFIG.weight * min(means) <= found <= ce + CONFIG.weight * max(means)


def test_with_the_same_share_of_numbers_everywhere_the_split_does_not_matter() -> None:
    loss_func = ntl_loss_func(char_tokenizer(), CONFIG)
    logits, _ = random_batch(4)
    digits, letters = char_tokenizer()("12345678")["input_ids"], char_tokenizer()("abcd")["input_ids"]
    rows = [[letters[0], *digits[:2], letters[1], *[-100] * 5], [letters[0], *digits[2:6], *letters[1:3], -100, -100]]
    labels = torch.tensor(rows * 2)  # 2 numbers of 3 labels, and 4 of 6
    num_items = (labels[:, 1:] != -100).sum()
    whole = loss_func(outputs_of(logits), labels, num_items)
    parts = sum(loss_func(outputs_of(logits[i : i + 1]), labels[i : i + 1], num_items) for i in range(4))
    assert float(parts) == pytest.approx(float(whole), rel=1e-12)


def test_the_gradient_is_that_of_the_loss() -> None:
    loss_func, ntl = ntl_loss_func(char_tokenizer(), CONFIG), NTLoss(char_tokenizer())
    logits, labels = random_batch()
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss_func(outputs_of(ours), labels).backward()
    (
        torch.nn.functional.cross_entropy(theirs[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        + CONFIG.weight * ntl(theirs, labels, shift=True)
    ).backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_a_batch_without_labels_is_a_zero_that_can_be_backpropagated() -> None:
    logits, labels = random_batch()
    logits.requires_grad_()
    loss = ntl_loss_func(char_tokenizer())(outputs_of(logits), torch.full_like(labels, -100), torch.tensor(0))
    loss.backward()
    assert loss == 0 and logits.grad is not None and not logits.grad.any()


@pytest.mark.parametrize("config", [CONFIG, CONFIGS["scheduled"]], ids=["constant", "scheduled"])
def test_evaluation_has_the_full_weight(config: NTLConfig, tmp_path: Any) -> None:
    stock, ours = twins("llama")
    found = stock_trainer(stock, tmp_path, loss_func_options(config)).evaluate()
    wanted = ntl_trainer(ours, tmp_path, config).evaluate()
    assert found["eval_loss"] == pytest.approx(wanted["eval_loss"], rel=1e-6)


@pytest.mark.parametrize(("output_class", "shift"), [(Seq2SeqLMOutput, False), (MaskedLMOutput, False), (dict, True)])
def test_the_shift_is_read_off_the_outputs_or_given(output_class: Any, shift: bool) -> None:
    logits, labels = random_batch()
    given = shift if output_class is dict else None
    loss = ntl_loss_func(char_tokenizer(), CE_ALONE, shift=given)(output_class(logits=logits), labels)
    assert loss == pytest.approx(float(NTLoss(char_tokenizer()).with_cross_entropy(logits, labels, shift=shift)[0]))


def test_virtual_tokens_before_the_text_have_no_labels() -> None:
    logits, labels = random_batch()
    loss_func = ntl_loss_func(char_tokenizer(), CONFIG)
    wider = torch.cat([torch.zeros(6, 3, 64, dtype=logits.dtype), logits], dim=1)
    labels[:, 0] = -100  # else the last virtual token predicts it
    assert float(loss_func(outputs_of(wider), labels)) == pytest.approx(float(loss_func(outputs_of(logits), labels)))


def test_in_trl_it_is_the_step_of_our_trainer(tmp_path: Any) -> None:
    stock, ours = twins("llama")
    trainer = make_trainer(SFTTrainer, stock, tmp_path, SFTConfig, trainer_options=loss_func_options())
    _, found = trained(trainer)
    _, wanted = trained(make_trainer(NTLSFTTrainer, ours, tmp_path, trainer_options={"ntl_config": CONFIG}))
    assert relative_difference(found, wanted) < 1e-6


# ---- What is refused ----


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (CausalLMOutputWithPast(logits=None), r"no logits.*NoneType.*NTLSFTTrainer"),
        (CausalLMOutputWithPast(logits=torch.zeros(2, 0, 64)), r"no logits.*\(2, 0, 64\)"),
        (CausalLMOutputWithPast(logits=torch.zeros(2, 9, 0)), r"no logits"),
        ((torch.zeros(2, 9, 64),), r"no logits"),
        (SimpleNamespace(logits=torch.zeros(2, 9, 64)), r"class `SimpleNamespace`.*shift=True"),
        ({"logits": torch.zeros(2, 9, 64), "aux_loss": torch.zeros(())}, r"auxiliary loss.*NTLTrainer"),
    ],
)
def test_outputs_that_it_cannot_be_made_from(outputs: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ntl_loss_func(char_tokenizer())(outputs, torch.zeros(2, 9, dtype=torch.long))


@pytest.mark.parametrize(
    ("labels", "num_items", "message"),
    [
        (None, None, "no `labels`"),
        (torch.full((2, 9), 64), None, "outside the model's vocabulary of 64"),
        (torch.zeros(2, 9, dtype=torch.long), torch.ones(2, 1), "DataParallel"),
    ],
)
def test_labels_and_counts_that_are_refused(labels: Any, num_items: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ntl_loss_func(char_tokenizer())(outputs_of(torch.zeros(2, 9, 64)), labels, num_items)


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"balance": "loss"}, "`balance`.*NTLTrainer"), ({"head": "fused"}, "head='fused'.*NTLTrainer")],
)
def test_settings_that_need_our_trainers(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ntl_loss_func(char_tokenizer(), NTLConfig(**settings))


def test_a_vocabulary_will_do_unless_numbers_are_read() -> None:
    vocab = NumberVocab.from_tokenizer(char_tokenizer())
    logits, labels = random_batch()
    wanted = ntl_loss_func(char_tokenizer())(outputs_of(logits), labels)
    assert ntl_loss_func(vocab)(outputs_of(logits), labels) == wanted
    with pytest.raises(ValueError, match="pass the tokenizer"):
        ntl_loss_func(vocab, NTLConfig(loss="number"))


def test_a_schedule_without_the_callback(tmp_path: Any) -> None:
    model = tiny_model()
    options = {"compute_loss_func": ntl_loss_func(char_tokenizer(), CONFIGS["scheduled"])}
    with pytest.raises(ValueError, match=r"callbacks=\[loss_func.callback\]"):
        stock_trainer(model, tmp_path, options).train()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"label_smoothing_factor": 0.1}, "label_smoothing_factor"),
        ({"use_liger_kernel": True}, "fused_linear_cross_entropy"),
        ({"use_liger_kernel": True, "liger_kernel_config": {"rope": True}}, "fused_linear_cross_entropy"),
    ],
)
def test_arguments_that_are_refused_before_training(arguments: Any, message: str, tmp_path: Any) -> None:
    options = loss_func_options()
    callback, args = options["callbacks"][0], make_args(TrainingArguments, tmp_path, **arguments)
    with pytest.raises(ValueError, match=message):
        callback.on_train_begin(args, None, None, model=tiny_model())


def test_our_own_arguments_belong_to_our_trainers(tmp_path: Any) -> None:
    trainer = make_trainer(Trainer, tiny_model(), tmp_path, NTLTrainingArguments, trainer_options=loss_func_options())
    with pytest.raises(ValueError, match="`NTLTrainingArguments` is for the trainers of this package"):
        trainer.train()


def test_data_without_numbers(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="number token"):
        stock_trainer(tiny_model(), tmp_path, loss_func_options(), text_rows=8).train()


class _OwnLossTrainer(Trainer):
    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        outputs = model(**inputs)
        return (outputs.loss, outputs) if return_outputs else outputs.loss


def test_a_trainer_with_a_loss_of_its_own_is_stopped_before_the_first_step(tmp_path: Any) -> None:
    model = tiny_model()
    before = parameters(model)
    trainer = make_trainer(_OwnLossTrainer, model, tmp_path, TrainingArguments, trainer_options=loss_func_options())
    with pytest.raises(RuntimeError, match="not called in this step"):
        trainer.train()
    assert relative_difference(parameters(model), before) == 0


def test_a_model_whose_first_tokens_are_counted_has_the_stock_scale(tmp_path: Any) -> None:
    """GPT-2: the Trainer counts a label for the first token, which nothing predicts."""
    model, plain = twins("gpt2")
    trainers = [stock_trainer(model, tmp_path, loss_func_options(CE_ALONE)), stock_trainer(plain, tmp_path, {})]
    for trainer in trainers:
        trainer.train_dataset = trainer.train_dataset.map(lambda row: {"labels": row["input_ids"]})
    (loss, found), (wanted_loss, wanted) = map(trained, trainers)
    assert loss == pytest.approx(wanted_loss, rel=1e-6)
    assert relative_difference(found, wanted) < 1e-6


def test_our_trainers_refuse_it(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="adds the number loss itself"):
        make_trainer(NTLTrainer, tiny_model(), tmp_path, trainer_options=loss_func_options())
