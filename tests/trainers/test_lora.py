"""Adapters: which rows train, the gradient through them, merging, saving and reloading."""

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PhiConfig, PhiForCausalLM

from ntl_hf import (
    NTLSeq2SeqTrainer,
    NTLSFTTrainer,
    NTLTrainer,
    add_digit_tokens,
    number_lora_config,
)
from ntl_hf.trainers.lora import with_number_rows
from tests.build import first_step, make_trainer, parameters, relative_difference
from tests.reference import step_gradients
from tests.tiny import char_tokenizer, tiny_model

WITHOUT_DIGITS = " abcdefghijklmnopqrstuvwxyz+-*/=().,?#"
TRAINERS = [(NTLTrainer, "llama"), (NTLTrainer, "llama-tied"), (NTLSFTTrainer, "llama"), (NTLSFTTrainer, "llama-tied")]
SEQ2SEQ = [(NTLSeq2SeqTrainer, "t5"), (NTLTrainer, "t5")]


def with_added_digits(architecture):
    """A model whose tokenizer had no digits, the tokenizer, and the new ids."""
    tokenizer = char_tokenizer(WITHOUT_DIGITS)
    model = tiny_model(architecture, vocab_size=len(tokenizer))
    return model, tokenizer, add_digit_tokens(tokenizer, model)


def changed_rows(before, after):
    return (before != after).any(-1).nonzero().flatten().tolist()


@pytest.mark.parametrize(("trainer_class", "architecture"), TRAINERS + SEQ2SEQ)
def test_added_digits_are_trained_and_nothing_else_of_the_tables(trainer_class, architecture, tmp_path):
    model, tokenizer, added = with_added_digits(architecture)
    before = [t.weight.detach().clone() for t in (model.get_input_embeddings(), model.get_output_embeddings())]
    config = number_lora_config(model, added_token_ids=added, r=4)
    trainer = make_trainer(
        trainer_class, model, tmp_path, tokenizer=tokenizer, max_steps=3, learning_rate=0.5,
        trainer_options={"peft_config": config},
    )  # fmt: skip
    trainer.train()
    merged = trainer.model.merge_and_unload()
    for table, old in zip((merged.get_input_embeddings(), merged.get_output_embeddings()), before, strict=True):
        rows = changed_rows(old, table.weight)
        # Input rows move where their digit occurs, output rows everywhere.
        assert rows and set(rows) <= set(added)
    assert changed_rows(before[1], merged.get_output_embeddings().weight) == sorted(added)
    if "tied" in architecture or architecture == "t5":
        assert torch.equal(merged.get_input_embeddings().weight, merged.get_output_embeddings().weight)


@pytest.mark.parametrize("architecture", ["llama", "llama-tied"])
def test_gradient_through_trained_rows(architecture, tmp_path):
    """TRL's fused head reads the wrapped rows (and crashed on their missing bias): float64 reference."""
    tokenizer, model = char_tokenizer(), tiny_model(architecture)
    config = number_lora_config(model, tokenizer, train_number_rows=True, r=4, init_lora_weights=False)
    assert set(config.trainable_token_indices["embed_tokens"]) == set(range(4, 14))
    trainer = make_trainer(NTLSFTTrainer, model, tmp_path, trainer_options={"peft_config": config})
    clean = get_peft_model(tiny_model(architecture), config)
    clean.load_state_dict(trainer.model.state_dict())
    gradients, batches = first_step(trainer)
    wanted, _ = step_gradients(clean, batches)
    tables = {name.split("token_adapter")[0] for name in gradients if "trainable_tokens_delta" in name}
    assert len(tables) == (1 if "tied" in architecture else 2)
    assert relative_difference(gradients, wanted) < 1e-5


@pytest.mark.parametrize(("trainer_class", "architecture"), TRAINERS + SEQ2SEQ)
def test_merge_save_and_reload_give_the_same_outputs(trainer_class, architecture, tmp_path):
    model, tokenizer, added = with_added_digits(architecture)
    model.save_pretrained(tmp_path / "base")
    config = number_lora_config(model, added_token_ids=added, r=4)
    trainer = make_trainer(
        trainer_class, model, tmp_path / "run", tokenizer=tokenizer, max_steps=2, learning_rate=0.5,
        trainer_options={"peft_config": config},
    )  # fmt: skip
    trainer.train()
    trainer.save_model()
    assert {"adapter_config.json", "ntl_config.json", "tokenizer.json"} <= {
        p.name for p in (tmp_path / "run").iterdir()
    }
    batch = {"input_ids": torch.tensor([[5, 6, 7, added[0]]])}
    if architecture == "t5":
        batch["decoder_input_ids"] = torch.tensor([[0, added[1]]])
    with torch.no_grad():
        wanted = trainer.model.eval()(**batch).logits
        base = type(model).from_pretrained(tmp_path / "base")
        reloaded = PeftModel.from_pretrained(base, tmp_path / "run").eval()
        torch.testing.assert_close(reloaded(**batch).logits, wanted, rtol=1e-5, atol=1e-5)
        merged = reloaded.merge_and_unload()
        torch.testing.assert_close(merged(**batch).logits, wanted, rtol=1e-4, atol=1e-5)
        merged.save_pretrained(tmp_path / "merged")
        again = type(model).from_pretrained(tmp_path / "merged").eval()
        torch.testing.assert_close(again(**batch).logits, wanted, rtol=1e-4, atol=1e-5)


def test_options_reach_lora():
    config = number_lora_config(tiny_model(), r=3, lora_alpha=5, target_modules=["q_proj"])
    assert (config.r, config.lora_alpha, set(config.target_modules)) == (3, 5, {"q_proj"})
    assert config.trainable_token_indices is None
    assert number_lora_config(tiny_model("t5")).task_type == "SEQ_2_SEQ_LM"


def test_rows_of_ones_own_are_kept():
    given = LoraConfig(target_modules="all-linear", trainable_token_indices={"embed_tokens": [50, 51]})
    assert with_number_rows(given, tiny_model(), None, [40]).trainable_token_indices == {
        "embed_tokens": [40, 50, 51],
        "lm_head": [40],
    }


def test_a_head_with_a_bias_is_refused():
    """peft's wrapper for single rows computes the head without its bias: the adapter would be another model."""
    config = PhiConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2,
        pad_token_id=0, bos_token_id=3, eos_token_id=1,
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"head of PhiForCausalLM has a bias.*modules_to_save"):
        number_lora_config(PhiForCausalLM(config), char_tokenizer(), train_number_rows=True)


def test_refusals():
    model = tiny_model()
    with pytest.raises(ValueError, match="needs the tokenizer"):
        number_lora_config(model, train_number_rows=True)
    adapted = get_peft_model(model, LoraConfig(target_modules="all-linear"))
    with pytest.raises(ValueError, match="already has an adapter"):
        number_lora_config(adapted)
    with pytest.raises(ValueError, match="before the adapter"):
        add_digit_tokens(char_tokenizer(WITHOUT_DIGITS), adapted)


def test_resumed_adapter_continues_exactly(tmp_path):
    settings = {"rows": 24, "max_steps": 4, "save_strategy": "steps", "save_steps": 2}

    def trainer():
        torch.manual_seed(3)
        options = {"peft_config": LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")}
        return make_trainer(NTLSFTTrainer, tiny_model(), tmp_path, trainer_options=options, **settings)

    whole, resumed = trainer(), trainer()
    whole.train()
    resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-2"))
    assert relative_difference(parameters(resumed.model), parameters(whole.model)) == 0
    assert (tmp_path / "checkpoint-2" / "ntl_config.json").exists()
