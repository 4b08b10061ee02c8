"""The Regression Transformer: every base model with encodings added, in all that is done with a model."""

import copy
import inspect
import math
import pickle

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer, T5Config

from ntl_hf import NTLTrainer
from ntl_hf.systems.adapted import (
    adapted_classes,
    register_for,
    split_model_type,
    system_of,
)
from ntl_hf.systems.regression_transformer.model import load_regression_transformer, regression_transformer_config
from ntl_hf.systems.regression_transformer.tokenizer import regression_transformer_tokenizer
from ntl_hf.tokens.placed_digits import NumberTokens
from tests.build import first_step, make_trainer, parameters, relative_difference
from tests.tiny import char_tokenizer, tiny_model

from .models import BLOCK, DIGITS, base_folder, gradients, regression_transformer, token_ids

DECODERS = ["llama", "llama-tied", "gpt2", "granite", "gemma", "falcon-h1", "mixtral"]
ENCODER_DECODERS = ["t5", "bart"]
ARCHITECTURES = DECODERS + ENCODER_DECODERS
FEW = ["llama", "t5"]


def encoded(ids, width, largest=100.0):
    """What is added to the embeddings: a loop in plain Python."""
    rows = []
    for i in ids.flatten().tolist():
        index = i - BLOCK["first_id"]
        value = index % 10 * 10.0 ** (index // 10 + BLOCK["low"]) if i in DIGITS else 0.0
        parts = [(-value if j % 2 else value) / (2 * (j // 2) + 1) for j in range(width)]
        rows.append([math.copysign(math.log10(abs(x) + 1), x) * 10 / math.log10(largest) for x in parts])
    return torch.tensor(rows).view(*ids.shape, width)


def embedded(base, ids):
    embeddings = base.get_input_embeddings()(ids)
    return embeddings + encoded(ids, embeddings.shape[-1])


def batch_of(model, seed=0):
    """Text and digits, with labels for a decoder."""
    batch = {"input_ids": token_ids(4, 60, seed=seed)}
    if model.config.is_encoder_decoder:
        return {**batch, "labels": token_ids(4, 60, (3, 5), seed=seed + 1)}
    return {**batch, "labels": batch["input_ids"]}


def base_inputs(base, batch):
    """The same for the base model, with the embeddings made by hand."""
    inputs = {"inputs_embeds": embedded(base, batch["input_ids"]), "labels": batch["labels"]}
    if base.config.is_encoder_decoder:
        ids = torch.cat([torch.full((3, 1), base.config.decoder_start_token_id), batch["labels"][:, :-1]], 1)
        inputs["decoder_inputs_embeds"] = embedded(base, ids)
    return inputs


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_outputs_and_gradients_are_those_of_the_base_on_encoded_embeddings(name):
    base, model = tiny_model(name), regression_transformer(name)
    batch = batch_of(model)
    found, wanted = model(**batch), base(**base_inputs(base, batch))
    torch.testing.assert_close(found.logits, wanted.logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.loss, wanted.loss, rtol=1e-5, atol=1e-6)
    assert (found.logits - tiny_model(name)(**batch).logits).abs().max() > 0.1
    assert relative_difference(gradients(model, **batch), gradients(base, **base_inputs(base, batch))) < 1e-4


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_without_encodings_it_is_the_base(name):
    base, model = tiny_model(name), regression_transformer(name, encoding="none")
    batch = batch_of(model)
    assert torch.equal(model(**batch).logits, base(**batch).logits)
    options = {"max_new_tokens": 4, "num_beams": 2, "do_sample": False}
    ids = batch["input_ids"]
    assert torch.equal(model.eval().generate(ids, **options), base.eval().generate(ids, **options))


def test_float_encoding_and_given_embeddings():
    base, model = tiny_model(), regression_transformer(encoding="float", largest=10.0)
    ids = torch.tensor([[5, BLOCK["first_id"] + 2 * 10 + 3]])  # a letter, and 3 at 10^0
    embeddings = base.get_input_embeddings()(ids)
    wanted = embeddings.clone()
    wanted[0, 1] += torch.tensor([3.0 / (2 * (j // 2) + 1) * (-1) ** j for j in range(32)])
    torch.testing.assert_close(model(ids).logits, base(inputs_embeds=wanted).logits, rtol=1e-4, atol=1e-5)
    assert torch.equal(model(inputs_embeds=embeddings).logits, base(inputs_embeds=embeddings).logits)
    with pytest.raises(ValueError):
        model(ids, inputs_embeds=embeddings)


@torch.no_grad()
def greedy_loop(base, prompt_ids, steps):
    """One prompt, the whole sequence in every step, on the base model and embeddings made by hand."""
    ids, result = prompt_ids, torch.empty(1, 0, dtype=torch.long)
    if base.config.is_encoder_decoder:
        ids = torch.full((1, 1), base.config.decoder_start_token_id)
    for _ in range(steps):
        if base.config.is_encoder_decoder:
            inputs = {"inputs_embeds": embedded(base, prompt_ids), "decoder_inputs_embeds": embedded(base, ids)}
        else:
            inputs = {"inputs_embeds": embedded(base, ids)}
        new = base(**inputs, use_cache=False).logits[:, -1].argmax(-1, keepdim=True)
        ids, result = torch.cat([ids, new], 1), torch.cat([result, new], 1)
    return result


@pytest.mark.parametrize("name", ["llama", "gpt2", "granite", "t5", "bart"])
def test_generation_equals_a_loop_without_cache(name):
    base, model = tiny_model(name).eval(), regression_transformer(name).eval()
    steps, lengths = 6, (5, 8)
    prompts = [token_ids(4, 60, (1, length), seed=length) for length in lengths]
    padded = torch.cat([torch.nn.functional.pad(p, (max(lengths) - p.shape[1], 0)) for p in prompts])
    new = model.generate(
        padded, attention_mask=(padded != 0).long(), max_new_tokens=steps, do_sample=False,
        eos_token_id=63, forced_eos_token_id=None,
    )[:, -steps:]  # fmt: skip
    alone = torch.cat([greedy_loop(base, prompt, steps) for prompt in prompts])
    if name == "bart":  # learned positions count the padding
        new, alone = new[1:], alone[1:]
    assert torch.equal(new, alone)
    assert set(new.flatten().tolist()) & set(DIGITS)


@pytest.mark.parametrize("name", ["llama", "llama-tied", "mixtral", "t5", "bart"])
def test_a_base_checkpoint_is_loaded_resized_saved_and_loaded_again(name, tmp_path):
    base = tiny_model(name)
    base.save_pretrained(tmp_path / "base")
    block = {"first_id": 64, "low": -2, "high": 1}
    model = load_regression_transformer(tmp_path / "base", block, tokenizer_size=106, largest=100.0)
    assert model.config.vocab_size == 106 == model.get_input_embeddings().weight.shape[0]
    rows = model.get_input_embeddings().weight[64:].detach()
    assert torch.pdist(rows).min() > 0.01 and rows.isfinite().all()
    for key, weight in base.named_parameters():
        assert torch.equal(model.get_parameter(key)[: len(weight)], weight), key
    model.save_pretrained(tmp_path / "made")
    assert register_for(tmp_path / "made") == "regression_transformer" == system_of(model.config)
    assert split_model_type(model.config.model_type) == ("regression_transformer", base.config.model_type)
    config = AutoConfig.from_pretrained(tmp_path / "made")
    assert type(config) is type(model.config) and config.number_tokens == block
    auto = AutoModelForSeq2SeqLM if model.config.is_encoder_decoder else AutoModelForCausalLM
    batch = {"input_ids": token_ids(60, 106), "labels": token_ids(60, 106)}
    for again in (auto.from_pretrained(tmp_path / "made"), type(model).from_pretrained(tmp_path / "made")):
        assert type(again) is type(model)
        assert torch.equal(again.eval()(**batch).logits, model.eval()(**batch).logits)


@pytest.mark.parametrize("name", [*FEW, "gpt2"])
def test_from_scratch_it_is_initialised_as_the_base(name, tmp_path):
    base = tiny_model(name)
    base.save_pretrained(tmp_path)
    torch.manual_seed(5)
    model = load_regression_transformer(tmp_path, BLOCK, 60, from_scratch=True)
    torch.manual_seed(5)
    wanted = type(base)._from_config(base.config)
    assert relative_difference(parameters(model), parameters(wanted)) == 0


def test_padded_vocabularies_are_kept_and_options_reach_the_model(tmp_path):
    folder = base_folder(tmp_path, "llama", vocab_size=80)
    for from_scratch in (False, True):
        options = {"dtype": torch.bfloat16, "attn_implementation": "eager", "from_scratch": from_scratch}
        model = load_regression_transformer(folder, BLOCK, 70, **options)
        assert model.get_input_embeddings().weight.shape[0] == model.config.vocab_size == 80
        assert model.dtype == torch.bfloat16 and model.config._attn_implementation == "eager"
        logits = model(token_ids(4, 60)).logits
        assert logits.dtype == torch.bfloat16 and logits.isfinite().all()


def test_a_tokenizer_beside_the_model_is_found(tmp_path):
    regression_transformer().save_pretrained(tmp_path)
    char_tokenizer().save_pretrained(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path).get_vocab() == char_tokenizer().get_vocab()


def test_settings_of_the_base_survive():
    # what T5 1.1 means by this flag is not what is saved under it
    base = T5Config(tie_word_embeddings=False, feed_forward_proj="gated-gelu", d_model=32, num_heads=2)
    config = regression_transformer_config(base, BLOCK)
    names = ("scale_decoder_outputs", "tie_word_embeddings", "is_gated_act", "dense_act_fn", "d_model", "d_kv")
    assert [getattr(config, name) for name in names] == [getattr(base, name) for name in names]
    assert not config.scale_decoder_outputs
    for again in (pickle.loads(pickle.dumps(config)), copy.deepcopy(config)):
        assert type(again) is type(config) and again.to_dict() == config.to_dict()


@pytest.mark.parametrize("name", ["llama", "llama-tied", "t5"])
def test_adapters_with_trained_rows_see_the_encodings(name, tmp_path):
    model = regression_transformer(name)
    model.save_pretrained(tmp_path / "base")
    batch = batch_of(model)
    wanted = model(**batch).logits
    table = "shared" if name == "t5" else "embed_tokens"
    config = LoraConfig(
        r=2, target_modules="all-linear", trainable_token_indices={table: list(DIGITS)},
        task_type="SEQ_2_SEQ_LM" if name == "t5" else "CAUSAL_LM",
    )  # fmt: skip
    adapted = get_peft_model(model, config)
    torch.testing.assert_close(adapted(**batch).logits, wanted, rtol=1e-5, atol=1e-5)
    assert adapted.get_input_embeddings() is not adapted.get_output_embeddings()
    optimizer = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        found = gradients(adapted, **batch)
        optimizer.step()
    assert any("trainable_tokens_delta" in key and grad.any() for key, grad in found.items())
    adapted.save_pretrained(tmp_path / "adapter")
    again = PeftModel.from_pretrained(type(model).from_pretrained(tmp_path / "base"), tmp_path / "adapter")
    torch.testing.assert_close(again(**batch).logits, adapted(**batch).logits, rtol=1e-5, atol=1e-5)
    merged = again.merge_and_unload()
    assert type(merged) is type(model)
    torch.testing.assert_close(merged(**batch).logits, adapted(**batch).logits, rtol=1e-4, atol=1e-4)
    new = adapted.eval().generate(input_ids=batch["input_ids"], max_new_tokens=4, do_sample=False)
    assert torch.equal(new, merged.eval().generate(batch["input_ids"], max_new_tokens=4, do_sample=False))


def test_an_embedding_trained_whole_by_an_adapter_sees_the_encodings():
    model = regression_transformer()
    batch = batch_of(model)
    wanted = model(**batch).logits
    adapted = get_peft_model(model, LoraConfig(r=2, target_modules="all-linear", modules_to_save=["embed_tokens"]))
    torch.testing.assert_close(adapted(**batch).logits, wanted, rtol=1e-5, atol=1e-5)
    trained = [grad for key, grad in gradients(adapted, **batch).items() if "embed_tokens.modules_to_save" in key]
    assert len(trained) == 1 and trained[0].any()


@pytest.mark.parametrize("name", ["llama", "t5"])
def test_gradient_checkpointing_changes_no_gradient(name):
    plain, checkpointed = regression_transformer(name), regression_transformer(name)
    checkpointed.activation_checkpointing_enable({"use_reentrant": True})
    checkpointed.enable_input_require_grads()
    found = gradients(checkpointed, **batch_of(plain), use_cache=False)
    assert relative_difference(found, gradients(plain, **batch_of(plain))) < 1e-5
    # frozen but for the last layers, the reentrant kind needs inputs with a gradient, which the hook makes
    for key, parameter in checkpointed.named_parameters():
        parameter.requires_grad_("norm" in key)
    assert gradients(checkpointed, **batch_of(plain), use_cache=False)


@pytest.mark.parametrize("name", FEW)
def test_bfloat16_stays_finite(name):
    model = regression_transformer(name, encoding="float", largest=1e-3).to(torch.bfloat16)
    loss = model(**batch_of(model)).loss
    loss.backward()
    assert loss.isfinite() and all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)


@pytest.mark.parametrize("name", ["llama", "granite", "t5"])
def test_the_number_loss_trains_it_with_either_head(name, tmp_path):
    """The fused head gives the gradient of the logits, and the encodings make a difference to it."""
    tokenizer = regression_transformer_tokenizer(char_tokenizer(), places=(0, 2))
    base = tiny_model(name, vocab_size=len(tokenizer))
    steps = []
    for encoding, head in (("log", "fused"), ("log", "logits"), ("none", "logits")):
        model = regression_transformer(base, encoding, tokens=NumberTokens.from_tokenizer(tokenizer))
        trainer = make_trainer(NTLTrainer, model, tmp_path / head, tokenizer=tokenizer, ntl_head=head)
        steps.append(first_step(trainer)[0])
    assert relative_difference(steps[0], steps[1]) < 1e-5
    assert relative_difference(steps[0], steps[2]) > 0.05


@pytest.mark.parametrize("name", FEW)
def test_the_signature_is_that_of_the_base(name):
    base, model = tiny_model(name), regression_transformer(name)
    assert inspect.signature(model.forward) == inspect.signature(base.forward)
    batch = batch_of(model)
    mask = torch.ones_like(batch["input_ids"])
    by_place = model(batch["input_ids"], mask, labels=batch["labels"], return_dict=False)
    assert isinstance(by_place, tuple) and torch.equal(by_place[0], model(**batch).loss)
    with pytest.raises(TypeError):
        model(batch["input_ids"], input_ids=batch["input_ids"])


@pytest.mark.parametrize("name", ["llama", "mixtral"])
def test_it_can_set_what_the_base_can(name):
    base, model = tiny_model(name), regression_transformer(name)
    for can_set in ("_can_set_attn_implementation", "_can_set_experts_implementation"):
        assert getattr(model, can_set)() == getattr(base, can_set)()
    model.set_attn_implementation("eager")
    assert model.config._attn_implementation == "eager"


def test_compiled_it_gives_the_same(tmp_path):
    model = regression_transformer()
    batch = batch_of(model)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    assert torch.equal(compiled(**batch).logits, model(**batch).logits)


def test_refusals(tmp_path):
    model = regression_transformer()
    with pytest.raises(ValueError, match="'regression_transformer_llama', a regression_transformer already"):
        regression_transformer_config(model.config, BLOCK)
    with pytest.raises(ValueError, match="tokens 14 to 53 are beyond the 50 tokens"):
        load_regression_transformer(base_folder(tmp_path, "llama"), BLOCK, 50)
    with pytest.raises(ValueError, match="`number_encoding` must be one of float, log, none, not 'sine'"):
        regression_transformer_config(tiny_model().config, BLOCK, encoding="sine")
    with pytest.raises(ValueError, match="even width, not 33"):
        config = regression_transformer_config(tiny_model("gpt2", n_embd=33, n_head=3).config, BLOCK)
        adapted_classes("regression_transformer", "gpt2")[1](config)
    with pytest.raises(ValueError, match="whole numbers first_id, low, high"):
        type(model)(type(model.config)())
    with pytest.raises(ValueError, match="`kind` must be one of regression_transformer, xval, not 'abacus'"):
        adapted_classes("abacus", "llama")
    with pytest.raises(ValueError, match="no model type 'lama'"):
        adapted_classes("xval", "lama")
    with pytest.raises(ValueError, match="'vit' are no language models"):
        adapted_classes("xval", "vit")
    with pytest.raises(ValueError, match="needs more than embeddings"):
        regression_transformer_config(AutoConfig.for_model("gemma3n_text"), BLOCK)
    assert register_for(tmp_path) is None and system_of(tiny_model().config) is None
