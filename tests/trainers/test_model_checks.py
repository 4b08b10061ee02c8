"""What is assumed about a model, and found out to be wrong before the first step."""

import re
import warnings

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig
from transformers import (
    BartConfig,
    BartForCausalLM,
    CpmAntConfig,
    CpmAntForCausalLM,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    LlamaForCausalLM,
    MarianConfig,
    MarianForCausalLM,
    MiniCPM3Config,
    MiniCPM3ForCausalLM,
    MptConfig,
    MptForCausalLM,
    RecurrentGemmaConfig,
    RecurrentGemmaForCausalLM,
    TrOCRConfig,
    TrOCRForCausalLM,
    WhisperConfig,
    WhisperForCausalLM,
    XLMConfig,
    XLMWithLMHeadModel,
)

from ntl_hf import (
    NTLConfig,
    NTLSeq2SeqTrainer,
    NTLSFTTrainer,
    NTLTrainer,
)
from ntl_hf.head.transform import LogitTransform
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


class TransformedLlama(LlamaForCausalLM):
    """Changes its logits by a function that its config does not tell."""

    def forward(self, input_ids=None, attention_mask=None, labels=None, **kwargs):
        outputs = super().forward(input_ids=input_ids, attention_mask=attention_mask, **kwargs)
        if self.mode in (None, self.training):
            outputs.logits = self.function(outputs.logits)
        return outputs


def transformed_model(function, mode=None):
    """Of small logits, as in the first steps of a training from scratch; `mode`: only in training, or only not."""
    model = TransformedLlama(tiny_model().config)
    model.load_state_dict(tiny_model().state_dict())
    with torch.no_grad():
        model.lm_head.weight.mul_(0.02)
    model.function, model.mode = function, mode
    return model


def capped(logits):
    return 30 * torch.tanh(logits / 30)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("mode", [None, True, False])
@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_a_cap_that_small_logits_do_not_show_is_noticed(trainer_class, mode, half, tmp_path):
    trainer = make_trainer(trainer_class, transformed_model(capped, mode), tmp_path, bf16=half)
    trainer.train()
    where = r"with hidden states \d+ times as large" + (" in training mode" if mode else "")
    assert re.search(rf"differs from the model's own logits by \d.*{where}: ", trainer.head_choice.reason)


def test_a_cap_that_is_noticed_is_trained(tmp_path):
    model = transformed_model(capped)
    trainer = make_trainer(NTLTrainer, twin(model), tmp_path)
    gradients, batches = first_step(trainer)
    assert relative_difference(gradients, step_gradients(model, batches)[0]) < 1e-5


def test_logits_that_are_left_out_are_noticed(tmp_path):
    """Inkling leaves out those of its padding, which are too few to show in a sum over the vocabulary."""
    trainer = make_trainer(NTLTrainer, transformed_model(lambda logits: logits[..., :-1]), tmp_path)
    trainer.train()
    assert re.search(r"keeps logits \[\d+, 63\] of the \[\d+, 64\]", trainer.head_choice.reason)


class Counting(torch.nn.Module):
    """Counts its calls in training, as a router does its tokens, and rebinds the buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("places", torch.zeros(()))
        self.norm = torch.nn.BatchNorm1d(32)

    def forward(self, hidden):
        if self.training:
            self.calls.add_(1)
            self.places = self.places + 1
        return self.norm(hidden.transpose(1, 2)).transpose(1, 2) if len(hidden) else hidden


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_the_check_leaves_random_numbers_and_buffers_alone(trainer_class, tmp_path):
    found = []
    for checked in (True, False):
        model = tiny_model(attention_dropout=0.5)
        model.model.norm = torch.nn.Sequential(model.model.norm, Counting())
        arguments = {"max_steps": 2, "gradient_checkpointing": False}
        options = {"ntl_config": NTLConfig(head="fused")}
        trainer = make_trainer(trainer_class, model, tmp_path, trainer_options=options, **arguments)
        if not checked:
            trainer._loss_side.first.due.discard("head")
        # The check of the model's own loss is in evaluation mode, and older.
        gradients, _ = first_step(trainer)
        found.append({**gradients, **dict(model.named_buffers())})
    assert found[0]["model.norm.1.calls"] == found[0]["model.norm.1.places"] == 2
    assert relative_difference(*found) == 0


def test_a_transform_that_a_model_leaves_out_or_makes_before_its_head_is_found(tmp_path):
    """The config alone does not tell: MiniCPM3 divides hidden states, MPT has a scale and does not use it."""
    options = {"num_key_value_heads": 2, "qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8}
    sizes = {"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
    config = MiniCPM3Config(
        **sizes, **TOKENS, **options, num_attention_heads=2, q_lora_rank=16, kv_lora_rank=16, dim_model_base=8
    )
    mpt = MptConfig(d_model=32, n_heads=2, n_layers=2, vocab_size=64, max_seq_len=256, logit_scale=4.0, **TOKENS)
    word = MptConfig(**{**mpt.to_dict(), "logit_scale": "inv_sqrt_d_model"})
    for i, model in enumerate([MiniCPM3ForCausalLM(config), MptForCausalLM(mpt), MptForCausalLM(word)]):
        assert not LogitTransform.from_config(model.config).is_identity or i == 2
        trainer = make_trainer(NTLTrainer, twin(model), tmp_path)
        gradients, batches = first_step(trainer)
        assert trainer.head_choice.is_fused
        assert relative_difference(gradients, step_gradients(model, batches)[0]) < 1e-5


def test_a_cap_of_the_text_that_a_model_of_pictures_leaves_out_is_found(tmp_path):
    """Gemma 3 with its vision tower has no cap, whatever the config of its text says."""
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**sizes, **TOKENS, "vocab_size": 64, "num_key_value_heads": 2, "head_dim": 16}
    text["final_logit_softcapping"] = 2.0
    vision = {**sizes, "image_size": 28, "patch_size": 14}
    ids = {"image_token_index": 60, "boi_token_index": 61, "eoi_token_index": 62}
    torch.manual_seed(0)
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4, **ids)
    model = Gemma3ForConditionalGeneration(config)
    trainer = make_trainer(NTLTrainer, twin(model), tmp_path)
    collate = trainer.data_collator

    def with_types(rows):
        batch = collate(rows)
        return {**batch, "token_type_ids": torch.zeros_like(batch["input_ids"])}

    trainer.data_collator = with_types
    gradients, batches = first_step(trainer)
    assert trainer.head_choice.is_fused
    assert relative_difference(gradients, step_gradients(model, batches)[0]) < 1e-5


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

    def __init__(self, only_with_gradient=False):
        super().__init__()
        self.inner, self.only_with_gradient = tiny_model(), only_with_gradient
        self.config, self.loss_type = self.inner.config, None

    def get_output_embeddings(self):
        return self.inner.lm_head

    def forward(self, input_ids=None, attention_mask=None, labels=None, **kwargs):
        outputs = self.inner(input_ids=input_ids, attention_mask=attention_mask)
        if self.training and (torch.is_grad_enabled() or not self.only_with_gradient):
            self.inner.lm_head(torch.zeros(1, 2, 32, dtype=self.inner.dtype))
        return outputs


def test_a_second_call_of_the_head_in_training_falls_back(tmp_path):
    """The loss of the first would be lost."""
    model = TwoHeads()
    trainer = make_trainer(NTLTrainer, twin(model), tmp_path)
    gradients, batches = first_step(trainer)
    assert trainer.head_choice.reason == "the model calls its output embeddings more than once in training mode"
    assert relative_difference(gradients, step_gradients(model, batches)[0]) < 1e-5


def test_a_second_call_of_the_head_that_was_not_seen_is_an_error(tmp_path):
    model = TwoHeads(only_with_gradient=True)
    with pytest.raises(ValueError, match=r"output embeddings more than once.*`ntl_head='logits'`"):
        make_trainer(NTLTrainer, model, tmp_path).train()
    make_trainer(NTLTrainer, model, tmp_path, trainer_options={"ntl_config": NTLConfig(head="logits")}).train()


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
    trainer._loss_side.check_first(trainer, model, next(iter(trainer.get_train_dataloader())))
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


SIZES = {"vocab_size": 64, "d_model": 32, "decoder_layers": 1, "decoder_attention_heads": 2, "decoder_ffn_dim": 48}
TOKENS = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 3}
UNSHIFTED = {
    "Bart": (BartConfig, BartForCausalLM, {**SIZES, "decoder_start_token_id": 1, "forced_eos_token_id": 1}),
    "Marian": (MarianConfig, MarianForCausalLM, {**SIZES, "decoder_start_token_id": 1, "decoder_vocab_size": 64}),
    "TrOCR": (TrOCRConfig, TrOCRForCausalLM, SIZES),
    "Whisper": (WhisperConfig, WhisperForCausalLM, SIZES),
    "XLM": (
        XLMConfig,
        XLMWithLMHeadModel,
        {"vocab_size": 64, "emb_dim": 32, "n_layers": 1, "n_heads": 2, "causal": True},
    ),
    "CPM-Ant": (
        CpmAntConfig,
        CpmAntForCausalLM,
        {"vocab_size": 64, "hidden_size": 32, "num_attention_heads": 2, "dim_head": 16, "dim_ff": 48,
         "num_hidden_layers": 1, "prompt_length": 4, "prompt_types": 4, "segment_types": 4},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNSHIFTED)
def test_an_own_loss_without_shift_is_called_that(name, tmp_path):
    config_class, model_class, sizes = UNSHIFTED[name]
    torch.manual_seed(0)
    model = model_class(config_class(**TOKENS, **sizes))
    for parameter in model.parameters():
        if parameter.ndim == 2:  # far from uniform, so that the shift shows
            torch.nn.init.normal_(parameter, std=0.5)
    trainer = make_trainer(NTLTrainer, model, tmp_path)
    with pytest.warns(UserWarning, match=r"does not move the labels, and this trainer does.*`shift_labels`") as caught:
        trainer.train()
    assert not any("further terms" in str(each.message) for each in caught)


def test_moved_labels_train_what_the_model_of_an_unshifted_loss_would(tmp_path):
    """What the warning says of `shift_labels`."""
    config_class, model_class, sizes = UNSHIFTED["Bart"]
    model = model_class(config_class(**TOKENS, **sizes, dropout=0.0))
    trainer = make_trainer(NTLTrainer, twin(model), tmp_path, trainer_options={"ntl_config": NTLConfig(weight=0)})
    collate = trainer.data_collator

    def moving(rows):
        batch = collate(rows)
        return {**batch, "shift_labels": batch["labels"]}

    trainer.data_collator = moving
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The own loss")
        gradients, batches = first_step(trainer)
    model(**{name: batches[0][name] for name in ("input_ids", "attention_mask", "labels")}).loss.backward()
    own = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert relative_difference(gradients, own) < 1e-5


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name not in ("t5", "bart")])
@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_known_models_pass_in_silence(architecture, trainer_class, tmp_path):
    trainer = make_trainer(trainer_class, tiny_model(architecture), tmp_path, bf16=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The own loss")
        trainer.train()
    assert trainer.model.training and trainer.head_choice.is_fused


@pytest.mark.parametrize("architecture", ["t5", "bart"])
def test_known_encoder_decoders_pass_in_silence(architecture, tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The own loss")
        trainer = make_trainer(NTLSeq2SeqTrainer, tiny_model(architecture), tmp_path)
        trainer.train()
    assert trainer.head_choice.is_fused


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
