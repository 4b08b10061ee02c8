"""`NTLLossCallback`: the number loss by way of `model.loss_function`, and every way round it refused."""

import functools
import types
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from transformers import (
    LlamaConfig,
    LlamaForSequenceClassification,
    TrainerCallback,
    TrainingArguments,
)
from transformers.loss.loss_utils import ForCausalLMLoss
from trl import SFTConfig, SFTTrainer
from trl.trainer.utils import add_fused_lm_head

from ntl_hf import NTLConfig, NTLLossCallback, NTLTrainer
from tests.build import make_args, make_trainer, parameters, relative_difference
from tests.tiny import char_tokenizer, tiny_model, twin

from .stock import callback_options, loss_func_options, ntl_trainer, stock_trainer, trained, twins

SCHEDULED = NTLConfig(weight=0.9, weight_schedule="cosine", warmup_steps=2)


@pytest.mark.parametrize("architecture", ["llama", "llama-tied", "qwen", "gemma", "gpt2", "mixtral", "mamba"])
def test_the_step_is_that_of_our_trainer(architecture: str, tmp_path: Any) -> None:
    stock, ours = twins(architecture)
    loss, found = trained(stock_trainer(stock, tmp_path, callback_options()))
    wanted_loss, wanted = trained(ntl_trainer(ours, tmp_path))
    assert loss == pytest.approx(wanted_loss, rel=1e-5)
    assert relative_difference(found, wanted) < 1e-6


def test_schedule_and_accumulation_are_those_of_the_loss_func(tmp_path: Any) -> None:
    one, other = twins("llama")
    settings = {"max_steps": 4, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}
    _, found = trained(stock_trainer(one, tmp_path, callback_options(SCHEDULED), **settings))
    _, wanted = trained(stock_trainer(other, tmp_path, loss_func_options(SCHEDULED), **settings))
    assert relative_difference(found, wanted) < 1e-6


def test_adapters(tmp_path: Any) -> None:
    stock, ours = (get_peft_model(m, LoraConfig(target_modules="all-linear")) for m in twins("llama"))
    ours.load_state_dict(stock.state_dict())
    _, found = trained(stock_trainer(stock, tmp_path, callback_options()))
    _, wanted = trained(ntl_trainer(ours, tmp_path))
    assert relative_difference(found, wanted) < 1e-6


def test_compiled(tmp_path: Any) -> None:
    torch.compiler.reset()
    stock, ours = twins("llama")
    compiled = {"torch_compile": True, "torch_compile_backend": "eager"}
    _, found = trained(stock_trainer(stock, tmp_path, callback_options(), max_steps=2, **compiled))
    _, wanted = trained(ntl_trainer(ours, tmp_path, max_steps=2))
    assert relative_difference(found, wanted) < 1e-6


def test_the_check_leaves_the_random_numbers_of_the_training_alone(tmp_path: Any) -> None:
    model = tiny_model("gpt2", resid_pdrop=0.3)
    plain = twin(model)
    _, found = trained(stock_trainer(model, tmp_path, callback_options(NTLConfig(weight=0.0))))
    _, wanted = trained(stock_trainer(plain, tmp_path, {}))
    assert relative_difference(found, wanted) < 1e-6


def test_evaluation_during_training_has_the_number_loss_and_after_it_the_models_own(tmp_path: Any) -> None:
    stock, ours = twins("llama")
    trainer = stock_trainer(stock, tmp_path, callback_options(SCHEDULED), eval_strategy="steps", eval_steps=1)
    trainer.train()
    wanted = ntl_trainer(ours, tmp_path, SCHEDULED, eval_strategy="steps", eval_steps=1)
    wanted.train()
    evaluated = [next(e["eval_loss"] for e in t.state.log_history if "eval_loss" in e) for t in (trainer, wanted)]
    assert evaluated[0] == pytest.approx(evaluated[1], rel=1e-6)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(wanted.evaluate()["eval_ce_loss"], rel=1e-6)


# ---- In and out ----


def has_own_loss(model: Any) -> bool:
    return model.loss_function is ForCausalLMLoss


def test_the_models_loss_comes_back(tmp_path: Any) -> None:
    model = tiny_model()
    trainer = stock_trainer(model, tmp_path, callback_options())
    trainer.train()
    assert has_own_loss(model) and "_loss_function" not in vars(model)
    model.loss_function = ForCausalLMLoss
    trainer.train()
    assert has_own_loss(model) and "_loss_function" in vars(model)


class _Stop(TrainerCallback):
    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt


def test_after_an_exception_the_loss_is_taken_out_by_hand_or_by_the_next_training(tmp_path: Any) -> None:
    model = tiny_model()
    trainer = stock_trainer(model, tmp_path, callback_options())
    trainer.add_callback(_Stop())
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert not has_own_loss(model)
    with pytest.raises(ValueError, match="another `NTLLossCallback`"):
        stock_trainer(model, tmp_path, callback_options()).train()
    trainer.remove_callback(_Stop)
    trainer.train()
    assert has_own_loss(model)
    (callback,) = (c for c in trainer.callback_handler.callbacks if isinstance(c, NTLLossCallback))
    callback.restore()
    assert has_own_loss(model)


def test_two_of_them_are_refused(tmp_path: Any) -> None:
    options = {"callbacks": callback_options()["callbacks"] + callback_options()["callbacks"]}
    with pytest.raises(ValueError, match="Use one of them"):
        stock_trainer(tiny_model(), tmp_path, options).train()


# ---- What is refused ----


def assert_refused(trainer: Any, error: type[Exception], message: str) -> None:
    """With one error, before a parameter has changed."""
    before = parameters(trainer.model)
    with pytest.raises(error, match=message):
        trainer.train()
    assert relative_difference(parameters(trainer.model), before) == 0
    assert trainer.state.global_step == 0


@pytest.mark.parametrize("architecture", ["t5", "bart"])
def test_models_with_a_loss_of_their_own(architecture: str, tmp_path: Any) -> None:
    model = tiny_model(architecture)
    message = f"{type(model).__name__} computes its loss without calling `loss_function`.*NTLSeq2SeqTrainer"
    assert_refused(stock_trainer(model, tmp_path, callback_options()), ValueError, message)
    assert "_loss_function" not in vars(model)


def test_losses_that_are_not_over_tokens(tmp_path: Any) -> None:
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1}
    config = LlamaConfig(vocab_size=64, num_attention_heads=2, **sizes)
    trainer = stock_trainer(LlamaForSequenceClassification(config), tmp_path, callback_options())
    assert_refused(trainer, ValueError, "LlamaForSequenceClassification is no language model")
    model = tiny_model()
    model.loss_type = "ForSequenceClassification"
    trainer = stock_trainer(model, tmp_path, callback_options())
    assert_refused(trainer, ValueError, "`ForSequenceClassificationLoss`, which `NTLLossCallback` cannot replace")


def test_models_that_are_not_of_transformers(tmp_path: Any) -> None:
    callback: Any = NTLLossCallback(char_tokenizer())
    with pytest.raises(ValueError, match="Linear has no `loss_function`"):
        callback.on_train_begin(make_args(TrainingArguments, tmp_path), None, None, model=nn.Linear(2, 2))


def test_trl(tmp_path: Any) -> None:
    trainer = make_trainer(SFTTrainer, tiny_model(), tmp_path, SFTConfig, trainer_options=callback_options())
    assert_refused(trainer, ValueError, "makes its loss in TRL.*NTLSFTTrainer")


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_fused_head_of_trl(wrapped: bool, tmp_path: Any) -> None:
    model = tiny_model()
    add_fused_lm_head(model)
    if wrapped:
        inner = model.forward
        model.forward = functools.wraps(inner)(lambda *args, **kwargs: inner(*args, **kwargs))
    trainer = stock_trainer(model, tmp_path, callback_options(), remove_unused_columns=False)
    assert_refused(trainer, ValueError, "fused head of TRL")


def test_a_forward_of_liger(tmp_path: Any) -> None:
    """A stand-in, made and named as Liger's are: the loss of the training mode is fused, the other is not."""
    model = tiny_model()

    def lce_forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        return type(self).forward(self, *args, **kwargs)

    lce_forward.__module__ = "liger_kernel.transformers.model.llama"
    model.forward = types.MethodType(lce_forward, model)
    trainer = stock_trainer(model, tmp_path, callback_options(), remove_unused_columns=False)
    assert_refused(trainer, ValueError, "Liger has replaced the forward of LlamaForCausalLM")


def test_an_unknown_fused_loss_that_only_training_takes(tmp_path: Any) -> None:
    model = tiny_model()

    def forward(self: Any, input_ids: Any, labels: Any = None, **kwargs: Any) -> Any:
        if not self.training:
            return type(self).forward(self, input_ids, labels=labels, **kwargs)
        outputs = type(self).forward(self, input_ids)
        outputs["loss"] = ForCausalLMLoss(outputs.logits, labels, 64)
        return outputs

    model.forward = types.MethodType(forward, model)
    trainer = stock_trainer(model, tmp_path, callback_options(), remove_unused_columns=False)
    assert_refused(trainer, RuntimeError, "was not called in this step")


def test_a_loss_function_of_the_trainer(tmp_path: Any) -> None:
    options = {**callback_options(), "compute_loss_func": lambda outputs, labels, **kwargs: outputs.logits.sum()}
    model = tiny_model()
    own = model.loss_function
    trainer = stock_trainer(model, tmp_path, options)
    assert_refused(trainer, RuntimeError, "was not called in this step")
    assert model.loss_function is own


def test_our_own_trainer(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="adds the number loss itself"):
        make_trainer(NTLTrainer, tiny_model(), tmp_path, TrainingArguments, trainer_options=callback_options())
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path)
    with pytest.raises(ValueError, match="adds the number loss itself"):
        trainer.add_callback(callback_options()["callbacks"][0])


def test_label_smoothing(tmp_path: Any) -> None:
    trainer = stock_trainer(tiny_model(), tmp_path, callback_options(), label_smoothing_factor=0.1)
    assert_refused(trainer, ValueError, "label_smoothing_factor")


def test_labels_outside_the_vocabulary(tmp_path: Any) -> None:
    trainer = stock_trainer(tiny_model(), tmp_path, callback_options())
    trainer.train_dataset = trainer.train_dataset.map(lambda row: {"labels": [99 for _ in row["labels"]]})
    assert_refused(trainer, ValueError, "outside the model's vocabulary of 64")
