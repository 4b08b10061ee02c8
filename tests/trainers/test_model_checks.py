"""What is assumed about a model, and found out to be wrong before the first step."""

import re
import warnings

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig
from transformers import LlamaForCausalLM, RecurrentGemmaConfig, RecurrentGemmaForCausalLM

from ntl_hf import NTLConfig, NTLSeq2SeqTrainer, NTLSFTTrainer, NTLTrainer
from tests.build import first_step, make_trainer, parameters, relative_difference
from tests.reference import step_gradients
from tests.tiny import ARCHITECTURES, tiny_model, twin


class ScaledLlama(LlamaForCausalLM):
    """Scales its logits without a word in its config."""

    factor = 3.0

    def forward(self, input_ids=None, attention_mask=None, labels=None, **kwargs):
        outputs = super().forward(input_ids=input_ids, attention_mask=attention_mask, **kwargs)
        outputs.logits = outputs.logits * self.factor
        if labels is not None:
            outputs.loss = self.loss_function(outputs.logits, labels, vocab_size=self.config.vocab_size)
        return outputs


def scaled_model(factor=3.0):
    model = ScaledLlama(tiny_model().config)
    model.load_state_dict(tiny_model().state_dict())
    model.factor = factor
    return model


class PickyLlama(LlamaForCausalLM):
    """Wants more than text."""

    def forward(self, input_ids=None, attention_mask=None, labels=None, **kwargs):
        if attention_mask is None:
            raise ValueError("You have to specify an attention mask")
        return super().forward(input_ids=input_ids, attention_mask=attention_mask, labels=labels, **kwargs)


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_an_unknown_transform_of_the_logits_falls_back_to_logits(trainer_class, tmp_path, caplog):
    model = scaled_model()
    trainer = make_trainer(trainer_class, twin(model), tmp_path)
    assert trainer.head_choice.is_fused
    gradients, batches = first_step(trainer)
    assert not trainer.head_choice.is_fused
    pattern = r"from the logits .* ScaledLlama differs from the model's own logits by \d"
    assert len([text for text in caplog.messages if re.search(pattern, text)]) == 1
    wanted, values = step_gradients(model, batches)
    assert relative_difference(gradients, wanted) < 1e-5
    assert trainer.state.log_history[0]["loss"] == pytest.approx(values["loss"], rel=1e-5)


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_an_unknown_transform_is_refused_where_the_fused_head_was_asked_for(trainer_class, tmp_path):
    options = {"ntl_config": NTLConfig(head="fused")}
    trainer = make_trainer(trainer_class, scaled_model(), tmp_path, trainer_options=options)
    before = parameters(trainer.model)
    with pytest.raises(ValueError, match=r"`ntl_head` is 'fused', but .* differs .* Set it to 'auto' or 'logits'"):
        trainer.train()
    assert relative_difference(parameters(trainer.model), before) == 0


def test_a_bias_behind_the_head_falls_back_to_logits(tmp_path):
    """BART's family adds one to the logits: zero in most models, so only the check can know."""
    for biased in (False, True):
        model = tiny_model("bart")
        if biased:
            model.final_logits_bias.normal_()
        trainer = make_trainer(NTLSeq2SeqTrainer, twin(model), tmp_path / str(biased))
        gradients, batches = first_step(trainer)
        assert trainer.head_choice.is_fused is not biased
        assert relative_difference(gradients, step_gradients(model, batches)[0]) < 1e-5


@pytest.mark.parametrize("factor", [0.97, 1.03])
@pytest.mark.parametrize("half", [False, True])
def test_a_small_unknown_factor_is_noticed(factor, half, tmp_path):
    trainer = make_trainer(NTLTrainer, scaled_model(factor), tmp_path, bf16=half)
    trainer.train()
    assert not trainer.head_choice.is_fused


def test_caps_by_other_names_are_known(tmp_path):
    """RecurrentGemma's is `logits_soft_cap`."""
    torch.manual_seed(0)
    config = RecurrentGemmaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        lru_width=32, logits_soft_cap=0.5, pad_token_id=0, eos_token_id=1, bos_token_id=3, attention_window_size=16,
    )  # fmt: skip
    model = RecurrentGemmaForCausalLM(config)
    torch.nn.init.normal_(model.lm_head.weight, std=1.0)
    trainer = make_trainer(NTLTrainer, twin(model), tmp_path)
    gradients, batches = first_step(trainer)
    assert trainer.head_choice.is_fused
    assert relative_difference(gradients, step_gradients(model, batches)[0]) < 1e-5


class TwoHeads(torch.nn.Module):
    """Calls its head twice, but only in training, as models with an auxiliary prediction do."""

    def __init__(self):
        super().__init__()
        self.inner = tiny_model()
        self.config, self.loss_type = self.inner.config, None

    def get_output_embeddings(self):
        return self.inner.lm_head

    def forward(self, input_ids=None, attention_mask=None, labels=None, **kwargs):
        outputs = self.inner(input_ids=input_ids, attention_mask=attention_mask)
        if self.training:
            self.inner.lm_head(torch.zeros(1, 2, 32))
        return outputs


def test_a_second_call_of_the_head_is_an_error(tmp_path):
    """The loss of the first would be lost."""
    with pytest.raises(ValueError, match=r"output embeddings more than once.*`ntl_head='logits'`"):
        make_trainer(NTLTrainer, TwoHeads(), tmp_path).train()
    make_trainer(NTLTrainer, TwoHeads(), tmp_path, trainer_options={"ntl_config": NTLConfig(head="logits")}).train()


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_prompt_tuning_is_fused(trainer_class, tmp_path):
    config = PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM")
    found = []
    for head in ("fused", "logits"):
        torch.manual_seed(0)
        options = {"peft_config": config, "ntl_config": NTLConfig(head=head)}
        found.append(first_step(make_trainer(trainer_class, tiny_model(), tmp_path, trainer_options=options))[0])
    assert relative_difference(*found) < 1e-5


@pytest.mark.parametrize("setting", ["auto", "fused"])
def test_a_model_that_cannot_be_checked_falls_back(setting, tmp_path, caplog):
    model = PickyLlama(tiny_model().config)
    trainer = make_trainer(NTLTrainer, model, tmp_path, trainer_options={"ntl_config": NTLConfig(head=setting)})
    if setting == "fused":
        with pytest.raises(ValueError, match=r"could not be checked .* specify an attention mask"):
            trainer.train()
    else:
        trainer.train()
        assert not trainer.head_choice.is_fused


def test_weights_that_are_not_finite_are_not_blamed_on_a_transform(tmp_path):
    model = tiny_model()
    model.lm_head.weight.data[5, 5] = float("nan")
    trainer = make_trainer(NTLTrainer, model, tmp_path)
    trainer._settle_head(model, next(iter(trainer.get_train_dataloader())))
    assert "are not finite" in trainer.head_choice.reason


def test_each_model_of_model_init_is_looked_at(tmp_path):
    made = []

    def model_init():
        made.append(tiny_model("granite", logits_scaling=[0.125, 0.5, 2.0][len(made) % 3]))
        return made[-1]

    trainer = make_trainer(NTLTrainer, None, tmp_path, trainer_options={"model_init": model_init})
    gradients, batches = first_step(trainer)
    assert len(made) == 2 and trainer.head_choice.is_fused
    clean = tiny_model("granite", logits_scaling=0.5)
    assert relative_difference(gradients, step_gradients(clean, batches)[0]) < 1e-5


def test_evaluation_first_does_not_silence_the_warning(tmp_path):
    model = tiny_model()
    model.loss_function = lambda logits, labels, **kwargs: logits.float().square().mean()
    trainer = make_trainer(NTLTrainer, model, tmp_path)
    trainer.evaluate()
    with pytest.warns(UserWarning, match="are not trained"):
        trainer.train()


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_what_cannot_be_fused_says_so_before_training(trainer_class, tmp_path, caplog):
    """LoRA on the head itself is left to the model (TRL refuses it), and so is a loss of the user's own."""
    options = {
        "ntl_config": NTLConfig(head="fused"),
        "compute_loss_func": lambda outputs, labels, **_: outputs.logits.sum(),
    }
    if trainer_class is NTLTrainer:
        with pytest.raises(ValueError, match="`ntl_head` is 'fused', but `compute_loss_func` is given"):
            make_trainer(trainer_class, tiny_model(), tmp_path, trainer_options=options)
        lora = LoraConfig(target_modules=["lm_head", "q_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
        trainer = make_trainer(trainer_class, tiny_model(), tmp_path, trainer_options={"peft_config": lora})
        trainer.train()
        assert any("the output embeddings of LlamaForCausalLM are a Linear" in text for text in caplog.messages)
    model = tiny_model()
    model.get_output_embeddings = lambda: None
    with pytest.raises(ValueError, match=r"'fused', but LlamaForCausalLM has no output embeddings\. Set it to 'auto'"):
        make_trainer(trainer_class, model, tmp_path, trainer_options={"ntl_config": NTLConfig(head="fused")})


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_the_choice_is_said_once(trainer_class, tmp_path, caplog):
    trainer = make_trainer(trainer_class, tiny_model(), tmp_path, max_steps=3)
    trainer.train()
    trainer.evaluate()
    said = [text for text in caplog.messages if "logits of" in text]
    assert len(said) == 1 and said[0].startswith(f"{trainer_class.__name__}: fused head, no logits of 8 x ")


def test_evaluation_before_training_is_checked_too(tmp_path):
    model = scaled_model()
    trainer = make_trainer(NTLTrainer, twin(model), tmp_path)
    batch = next(iter(trainer.get_eval_dataloader()))
    loss = trainer.evaluate()["eval_ce_loss"]
    assert not trainer.head_choice.is_fused
    assert loss == pytest.approx(model.eval()(**batch, use_cache=False).loss.item(), rel=1e-5)


def test_a_loss_function_of_the_models_own_is_noticed(tmp_path):
    model = tiny_model()
    model.loss_function = lambda logits, labels, **kwargs: logits.float().square().mean()
    trainer = make_trainer(NTLTrainer, model, tmp_path)
    with pytest.warns(UserWarning, match=r"own loss of LlamaForCausalLM .* are not trained"):
        trainer.train()


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name not in ("t5", "bart")])
@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_known_models_pass_in_silence(architecture, trainer_class, tmp_path):
    trainer = make_trainer(trainer_class, tiny_model(architecture), tmp_path, bf16=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The own loss")
        trainer.train()
    assert trainer.model.training


@pytest.mark.parametrize("architecture", ["t5", "bart"])
def test_known_encoder_decoders_pass_in_silence(architecture, tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The own loss")
        make_trainer(NTLSeq2SeqTrainer, tiny_model(architecture), tmp_path).train()


def test_hyperparameter_search_reaches_the_settings(tmp_path):
    """Each trial has the settings that were set on the arguments, and is judged by `eval_loss` alone."""
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path)
    seen = []

    class Trial:
        params = {"ntl_weight": 0.0}  # noqa: RUF012

    trainer.hp_search_backend, trainer.hp_space = None, None
    for weight in (0.2, 0.8):
        trainer.args.ntl_weight = weight
        # The stock set-up returns early without a backend; ours follows the arguments all the same.
        trainer._hp_search_setup(Trial())
        trainer.model = tiny_model()
        seen.append((trainer.ntl_config.weight, trainer.objective.config.weight))
    assert seen == [(0.2, 0.2), (0.8, 0.8)]
    kept = make_trainer(NTLTrainer, tiny_model(), tmp_path, trainer_options={"ntl_config": NTLConfig(weight=0.5)})
    kept.hp_search_backend = None
    kept._hp_search_setup(Trial())
    assert kept.ntl_config.weight == 0.5


def test_the_objective_of_a_search_is_the_loss():
    from ntl_hf.trainers.mixin import _objective_without_components

    metrics = {"eval_loss": 2.0, "eval_ce_loss": 1.0, "eval_number_mass": 0.5, "eval_number_mae": float("nan")}
    assert _objective_without_components(metrics) == 2.0
    assert _objective_without_components({**metrics, "eval_accuracy": 0.75}) == 0.75
