"""xVal on any base: its losses and generation against loops, and all that is done with a model."""

import copy
import inspect
import math

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, BitsAndBytesConfig

from ntl_hf.systems.adapted import adapted_classes, register_for, system_of
from ntl_hf.systems.scaling import NumberScaling
from ntl_hf.systems.xval.generate import generate_with_numbers
from ntl_hf.systems.xval.model import load_xval, xval_config
from tests.build import parameters, relative_difference
from tests.tiny import tiny_model

from .models import NUM, base_folder, gradients, token_ids, xval

ARCHITECTURES = ["llama", "llama-tied", "gpt2", "granite", "gemma", "falcon-h1", "mixtral", "t5", "bart"]
FEW = ["llama", "t5"]
LOG = NumberScaling("signed_log")


def with_numbers(ids, seed=0):
    """`[NUM]` at a third of the positions, and values there; elsewhere what must never be read."""
    generator = torch.Generator().manual_seed(seed)
    is_number = torch.rand(ids.shape, generator=generator) < 0.35
    values = torch.randn(ids.shape, generator=generator) * 30
    return ids.masked_fill(is_number, NUM), values.masked_fill(~is_number, torch.nan)


def batch_of(model, seed=0, rows=3):
    """Numbers in the inputs and in the labels, some of which are masked."""
    ids, values = with_numbers(token_ids(4, 60, (rows, 9), seed), seed)
    labels, numbers = ids.clone(), values.clone()
    if model.config.is_encoder_decoder:
        labels, numbers = with_numbers(token_ids(4, 60, (rows, 7), seed + 1), seed + 1)
        labels[0, 4:] = -100
    else:
        labels[:, :2] = -100
    return {"input_ids": ids, "number_values": values, "labels": labels, "number_labels": numbers}


def embedded(base, ids, values, scaling):
    """One token after the other."""
    embeddings = base.get_input_embeddings()(ids).clone()
    for row, column in (ids == NUM).nonzero().tolist():
        embeddings[row, column] = embeddings[row, column] * scaling.scale(values[row, column])
    return embeddings


def shifted(base, labels, numbers):
    start = torch.full((len(labels), 1), base.config.decoder_start_token_id)
    ids = torch.cat([start, labels[:, :-1].masked_fill(labels[:, :-1] == -100, base.config.pad_token_id)], 1)
    return ids, F.pad(numbers[:, :-1], (1, 0), value=torch.nan)


def on_base(base, model, ids, values, decoder_ids=None, decoder_values=None, **options):
    """Logits of the base on embeddings made by hand, and the head's scaled predictions from its last hidden state."""
    scaling = model.number_scaling
    inputs = {"inputs_embeds": embedded(base, ids, values, scaling), "output_hidden_states": True, **options}
    if decoder_ids is not None:
        inputs["decoder_inputs_embeds"] = embedded(base, decoder_ids, decoder_values, scaling)
    output = base(**inputs)
    hidden = (output.hidden_states if decoder_ids is None else output.decoder_hidden_states)[-1]
    if base.config.model_type == "t5":
        hidden = hidden * base.config.d_model**-0.5  # what its output head reads
    head = model.number_head
    return output, head.last(F.gelu(head.middle(hidden))).squeeze(-1)


def reference(base, model, batch):
    """Token loss, squared error and predictions, one label after the other."""
    labels, numbers, scaling = batch["labels"], batch["number_labels"], model.number_scaling
    decoder = shifted(base, labels, numbers) if base.config.is_encoder_decoder else ()
    output, predictions = on_base(base, model, batch["input_ids"], batch["number_values"], *decoder)
    offset = 0 if base.config.is_encoder_decoder else 1
    token_losses, errors = [], []
    for row, column in (labels != -100).nonzero().tolist():
        if column >= offset:
            label = labels[row, column]
            token_losses.append(-output.logits[row, column - offset].log_softmax(-1)[label])
            if label == NUM:
                errors.append((predictions[row, column - offset] - scaling.scale(numbers[row, column])) ** 2)
    extra = base.config.router_aux_loss_coef * output.aux_loss if output.get("aux_loss") is not None else 0.0
    token_loss, number_loss = torch.stack(token_losses).mean(), torch.stack(errors).mean()
    return token_loss + model.config.number_weight * number_loss + extra, token_loss, number_loss, predictions


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_losses_predictions_and_gradients_equal_a_loop(name):
    base, model = tiny_model(name), xval(name, LOG, number_weight=0.7)
    batch = batch_of(model)
    output = model(**batch)
    total, token_loss, number_loss, predictions = reference(base, model, batch)
    torch.testing.assert_close(output.loss, total, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(output.token_loss, token_loss, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(output.number_loss, number_loss, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(output.number_predictions, LOG.unscale(predictions), rtol=1e-3, atol=1e-3)
    assert not output.token_loss.requires_grad and not output.number_loss.requires_grad
    found = gradients(model, **batch)
    model.zero_grad()
    reference(base, model, batch)[0].backward()
    wanted = {key: p.grad for key, p in base.named_parameters() if p.grad is not None}
    wanted |= {f"number_head.{key}": p.grad for key, p in model.number_head.named_parameters()}
    assert relative_difference(found, wanted) < 1e-4


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("given", [True, False])
def test_a_batch_without_numbers_is_the_bases_and_still_touches_the_head(name, given):
    base, model = tiny_model(name), xval(name)
    ids = token_ids(4, NUM)
    values = {"number_values": torch.ones(3, 8), "number_labels": torch.zeros(3, 8)} if given else {}
    output, wanted = model(input_ids=ids, labels=ids, **values), base(input_ids=ids, labels=ids)
    assert torch.equal(output.logits, wanted.logits) and output.number_loss == 0
    torch.testing.assert_close(output.loss, wanted.loss, rtol=1e-6, atol=0)
    output.loss.backward()
    assert all(p.grad is not None and not p.grad.any() for p in model.number_head.parameters())


@pytest.mark.parametrize("name", FEW)
def test_parts_divided_by_the_counts_of_the_whole_add_up_to_it(name):
    model = xval(name, number_weight=0.7)
    whole = batch_of(model, rows=4)
    labels = whole["labels"] if model.config.is_encoder_decoder else whole["labels"][:, 1:]
    for convert in (int, torch.as_tensor):
        counts = {
            "num_items_in_batch": convert((labels != -100).sum()),
            "num_numbers_in_batch": convert((labels == NUM).sum()),
        }
        parts = [{key: value[rows] for key, value in whole.items()} for rows in (slice(0, 1), slice(1, 4))]
        losses = [model(**part, **counts).loss for part in parts]
        torch.testing.assert_close(sum(losses), model(**whole).loss, rtol=1e-5, atol=1e-5)
    assert abs(sum(model(**part).loss for part in parts) / 2 - model(**whole).loss) > 0.01
    zeros = {"num_items_in_batch": 0, "num_numbers_in_batch": 0}
    assert model(**{**whole, "labels": torch.full_like(whole["labels"], -100)}, **zeros).loss == 0


@pytest.mark.parametrize("name", FEW)
def test_missing_numbers_are_an_error(name):
    model = xval(name)
    batch = batch_of(model)
    for missing in ("number_values", "number_labels"):
        with pytest.raises(ValueError, match=rf"There is a \[NUM\].*`{missing}`"):
            model(**{key: value for key, value in batch.items() if key != missing})
        with pytest.raises(ValueError, match=r"shape \[3, 2\], and the token ids"):
            model(**{**batch, missing: torch.ones(3, 2)})


def test_few_logits_and_tuples():
    model = xval()
    batch = batch_of(model)
    whole, last = model(**batch), model(**batch, logits_to_keep=3)
    assert last.number_predictions.shape == (3, 3)
    torch.testing.assert_close(last.number_predictions, whole.number_predictions[:, -3:])
    cut = {**batch, "labels": batch["labels"].clone()}
    cut["labels"][:, :-3] = -100
    cut_wanted = model(**{**cut, "labels": cut["labels"].index_fill(1, torch.tensor([6]), -100)})
    torch.testing.assert_close(model(**{**cut, "logits_to_keep": 3}).loss, cut_wanted.loss)
    as_tuple = model(**batch, return_dict=False)
    assert isinstance(as_tuple, tuple) and torch.equal(as_tuple[0], whole.loss)


# --- generation


def allowed(_, ids):
    """Every other token is a number; models of random weights say the same word again and again otherwise."""
    return [NUM] if len(ids) % 2 == 0 else list(range(4, 62))


OPTIONS = {"prefix_allowed_tokens_fn": allowed, "forced_eos_token_id": None, "max_new_tokens": 8}


@torch.no_grad()
def loop(base, model, ids, values, pick, steps=8):
    """One prompt, the whole sequence in every step, on the base model and embeddings made by hand."""
    prompt, prompt_values = ids, values
    if base.config.is_encoder_decoder:
        ids, values = torch.full((1, 1), base.config.decoder_start_token_id), torch.full((1, 1), torch.nan)
    start = ids.shape[1]
    for _ in range(steps):
        decoder = (ids, values) if base.config.is_encoder_decoder else ()
        read = (prompt, prompt_values) if decoder else (ids, values)
        output, predictions = on_base(base, model, *read, *decoder, use_cache=False)
        mask = torch.full((64,), -math.inf).index_fill(0, torch.tensor(allowed(0, ids[0])), 0.0)
        new = pick(output.logits[:, -1] + mask)
        value = model.number_scaling.unscale(predictions[:, -1:]).where(new == NUM, torch.nan)
        ids, values = torch.cat([ids, new], 1), torch.cat([values, value], 1)
    return ids[:, start:], values[:, start:]


def greedy(scores):
    return scores.argmax(-1, keepdim=True)


@pytest.mark.parametrize("name", ["llama", "gpt2", "granite", "t5", "bart"])
def test_greedy_generation_equals_a_loop_without_cache(name):
    base, model = tiny_model(name).eval(), xval(name, LOG).eval()
    prompts = [with_numbers(token_ids(4, 60, (1, length), seed=length), seed=length) for length in (5, 9, 7, 9)]
    if name == "bart":  # learned positions count the padding
        prompts = [prompt for prompt in prompts if prompt[0].shape[1] == 9]
    ids = torch.cat([F.pad(i, (9 - i.shape[1], 0)) for i, _ in prompts])
    values = torch.cat([F.pad(v, (9 - v.shape[1], 0), value=1.0) for _, v in prompts])
    found_ids, found = generate_with_numbers(model, ids, (ids != 0).long(), values, do_sample=False, **OPTIONS)
    loops = [loop(base, model, *prompt, greedy) for prompt in prompts]
    wanted_ids, wanted = (torch.cat(each) for each in zip(*loops, strict=True))
    assert torch.equal(found_ids, wanted_ids)
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3, equal_nan=True)
    numbers = found[found_ids == NUM]
    assert found.numel() / 2 <= len(numbers) < found.numel() and numbers.isfinite().all() and len(numbers.unique()) > 3
    assert found.dtype == torch.float32


@pytest.mark.parametrize("name", FEW)
def test_what_was_generated_is_read_on(name):
    """With another number in place of the generated one, the text would go on in another way."""
    model = xval(name).eval()
    ids, values = with_numbers(token_ids(4, 60, (4, 6)))
    first = generate_with_numbers(model, ids, None, values, do_sample=False, **OPTIONS)
    with torch.no_grad():
        model.number_head.last.bias += 20.0
    second = generate_with_numbers(model, ids, None, values, do_sample=False, **OPTIONS)
    assert not torch.equal(first[0], second[0])


@pytest.mark.parametrize("name", FEW)
def test_sampling_equals_a_loop(name):
    base, model = tiny_model(name).eval(), xval(name, LOG).eval()
    ids, values = with_numbers(token_ids(4, 60, (1, 6)))
    options = {"do_sample": True, "top_k": 0, "top_p": 1.0, "num_return_sequences": 1}
    torch.manual_seed(3)
    found_ids, found = generate_with_numbers(model, ids, torch.ones_like(ids), values, **options, **OPTIONS)
    torch.manual_seed(3)
    wanted_ids, wanted = loop(base, model, ids, values, lambda s: torch.multinomial(s.softmax(-1), 1))
    assert torch.equal(found_ids, wanted_ids) and (found_ids == NUM).any()
    torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-3, equal_nan=True)
    several = generate_with_numbers(model, ids, None, values, **{**options, "num_return_sequences": 4}, **OPTIONS)
    assert several[0].shape == several[1].shape == (4, 8)
    assert torch.equal(several[1].isnan(), several[0] != NUM)


@pytest.mark.parametrize("name", FEW)
def test_a_row_that_ends_early_and_prompts_without_numbers(name):
    model = xval(name).eval()
    ids = token_ids(4, NUM, (6, 5))
    options = {**OPTIONS, "do_sample": False}
    whole = generate_with_numbers(model, ids, None, torch.ones(6, 5), **options)
    without = generate_with_numbers(model, ids, **options)
    assert torch.equal(whole[0], without[0])
    torch.testing.assert_close(whole[1], without[1], equal_nan=True)
    assert torch.equal(model.generate(ids, **options)[:, -8:], whole[0])
    end = int(whole[0][0, 4])
    last = int((whole[0][0] == end).nonzero()[0])
    found_ids, found = generate_with_numbers(model, ids, **options, eos_token_id=end, pad_token_id=0)
    assert found_ids[0, last] == end and (found_ids[0, last + 1 :] == 0).all() and found[0, last + 1 :].isnan().all()
    torch.testing.assert_close(found[0, : last + 1], whole[1][0, : last + 1], equal_nan=True)


@pytest.mark.parametrize("name", FEW)
def test_generation_refuses_what_would_be_wrong(name):
    model = xval(name).eval()
    ids, values = with_numbers(token_ids(4, 60, (2, 6)))
    for options in ({"num_beams": 2}, {"num_beams": 2, "do_sample": True}):
        with pytest.raises(ValueError, match="greedily or by sampling, not by beam search"):
            generate_with_numbers(model, ids, None, values, max_new_tokens=4, **options)
        with pytest.raises(ValueError, match="only supports"):
            model.generate(ids, number_values=values, max_new_tokens=4, **options)
    with pytest.raises(ValueError, match="only supports"):
        model.generate(ids, number_values=values, max_new_tokens=4, prompt_lookup_num_tokens=2)
    with pytest.raises(ValueError, match=r"There is a \[NUM\]"):
        generate_with_numbers(model, ids, max_new_tokens=4)
    with pytest.raises(ValueError, match="shape"):
        generate_with_numbers(model, ids, None, values[:, 1:], max_new_tokens=4)


def test_prompts_are_not_read_in_chunks():
    model = xval().eval()
    ids, values = with_numbers(token_ids(4, 60, (2, 6)))
    with pytest.raises(ValueError, match="prefill_chunk_size"):
        model.generate(ids, number_values=values, max_new_tokens=4, prefill_chunk_size=2)


# --- loading, saving, adapters


@pytest.mark.parametrize("name", ["llama", "llama-tied", "mixtral", "gpt2", "t5", "bart"])
def test_a_base_checkpoint_is_loaded_saved_and_loaded_again(name, tmp_path):
    base = tiny_model(name)
    base.save_pretrained(tmp_path / "base")
    models = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        models.append(load_xval(tmp_path / "base", 64, 65, NumberScaling("range", 80.0), number_weight=0.5))
    heads = [torch.cat([p.detach().flatten() for p in m.number_head.parameters()]) for m in models]
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])
    wanted = getattr(base.config, "initializer_range", None) or getattr(base.config, "init_std", None) or 32**-0.5
    std = float(models[0].number_head.middle.weight.detach().std())
    assert heads[0].isfinite().all() and std == pytest.approx(wanted, rel=0.2)
    for key, weight in base.named_parameters():
        assert torch.equal(models[0].get_parameter(key)[: len(weight)], weight), key
    model = models[0].eval()
    assert model.config.vocab_size == 65 == len(model.get_input_embeddings().weight)
    assert model.get_input_embeddings().weight[64].any()
    model.save_pretrained(tmp_path / "made")
    assert register_for(str(tmp_path / "made")) == "xval" == system_of(model.config)
    auto = AutoModelForSeq2SeqLM if model.config.is_encoder_decoder else AutoModelForCausalLM
    ids = token_ids(4, 65)
    batch = {"input_ids": ids, "number_values": torch.full((3, 8), 40.0), "labels": ids, "number_labels": ids.float()}
    loaded = [each.from_pretrained(tmp_path / "made") for each in (auto, type(model))]
    for again in (*loaded, copy.deepcopy(model)):
        found, wanted = again.eval()(**batch), model(**batch)
        assert again.config.number_scaling == {"kind": "range", "largest": 80.0} and again.config.number_weight == 0.5
        assert torch.equal(found.logits, wanted.logits) and torch.equal(found.loss, wanted.loss)
        assert torch.equal(found.number_predictions, wanted.number_predictions)


@pytest.mark.parametrize("from_scratch", [False, True])
@pytest.mark.parametrize("name", FEW)
def test_the_head_stays_in_float32(name, from_scratch, tmp_path):
    folder = base_folder(tmp_path, name)
    model = load_xval(folder, 64, 65, LOG, from_scratch=from_scratch, dtype=torch.bfloat16).train()
    assert {p.dtype for p in model.number_head.parameters()} == {torch.float32}
    assert model.get_input_embeddings().weight.dtype == torch.bfloat16
    assert model.number_head.last.weight.any()
    ids = token_ids(4, 65)
    batch = {
        "input_ids": ids,
        "number_values": torch.ones(3, 8) * 1e6,
        "labels": ids,
        "number_labels": torch.ones(3, 8),
    }
    assert model(**batch).logits.dtype == torch.bfloat16
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = model(**batch)
    assert output.loss.dtype == output.number_predictions.dtype == torch.float32 and output.loss.isfinite()
    output.loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    # bfloat16 has so few numbers that some of these would be the same
    assert len(output.number_predictions.unique()) == output.number_predictions.numel()
    model.save_pretrained(tmp_path / "made")
    again = type(model).from_pretrained(tmp_path / "made", dtype=torch.bfloat16)
    assert again.get_input_embeddings().weight.dtype == torch.bfloat16
    assert all(
        torch.equal(*pair) for pair in zip(again.number_head.parameters(), model.number_head.parameters(), strict=True)
    )


def test_quantised_models_keep_the_head(tmp_path):
    pytest.importorskip("bitsandbytes")
    quantised = BitsAndBytesConfig(load_in_4bit=True)
    model = load_xval(base_folder(tmp_path, "llama"), 64, 65, quantization_config=quantised, dtype=torch.bfloat16)
    assert type(model.model.layers[0].mlp.up_proj) is not torch.nn.Linear
    assert type(model.number_head.middle) is type(model.number_head.last) is type(model.lm_head) is torch.nn.Linear
    assert {p.dtype for p in model.number_head.parameters()} == {torch.float32}
    model(input_ids=token_ids(4, 65), number_values=torch.ones(3, 8)).number_predictions.sum().backward()
    assert model.number_head.middle.weight.grad.any()


@pytest.mark.parametrize("name", [*FEW, "gpt2"])
def test_from_scratch_it_is_initialised_as_the_base(name, tmp_path):
    base = tiny_model(name)
    base.save_pretrained(tmp_path)
    torch.manual_seed(5)
    model = load_xval(tmp_path, NUM, 64, from_scratch=True)
    torch.manual_seed(5)
    wanted = parameters(type(base)._from_config(base.config))
    found = parameters(model)
    assert relative_difference({key: found[key] for key in wanted}, wanted) == 0
    assert not found["number_head.middle.bias"].any() and not found["number_head.last.bias"].any()
    std = getattr(base.config, "initializer_range", None) or 32**-0.5
    assert float(found["number_head.middle.weight"].std()) == pytest.approx(std, rel=0.2)


@pytest.mark.parametrize("name", ["llama", "llama-tied", "t5"])
def test_adapters_train_the_head_and_the_row_of_num(name, tmp_path):
    model = xval(name, LOG)
    model.save_pretrained(tmp_path / "base")
    batch = batch_of(model)
    wanted = model(**batch)
    table = "shared" if name == "t5" else "embed_tokens"
    config = LoraConfig(
        r=2, target_modules="all-linear", modules_to_save=["number_head"], trainable_token_indices={table: [NUM]},
        task_type="SEQ_2_SEQ_LM" if name == "t5" else "CAUSAL_LM",
    )  # fmt: skip
    adapted = get_peft_model(model, config)
    found = adapted(**batch)
    torch.testing.assert_close(found.logits, wanted.logits, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.number_loss, wanted.number_loss, rtol=1e-5, atol=1e-5)
    assert not any("number_head" in key and "lora" in key for key, _ in adapted.named_parameters())
    optimizer = torch.optim.SGD([p for p in adapted.parameters() if p.requires_grad], lr=0.02)
    for _ in range(5):
        grads = gradients(adapted, **batch)
        optimizer.step()
    for part in ("number_head.modules_to_save", "trainable_tokens_delta", "lora_A"):
        assert any(part in key and grad.any() for key, grad in grads.items()), part
    after = adapted(**batch)
    assert after.loss < wanted.loss
    adapted.save_pretrained(tmp_path / "adapter")
    again = PeftModel.from_pretrained(type(model).from_pretrained(tmp_path / "base"), tmp_path / "adapter")
    torch.testing.assert_close(again(**batch).loss, after.loss, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(again(**batch).number_predictions, after.number_predictions, rtol=1e-4, atol=1e-4)
    merged = again.merge_and_unload()
    assert type(merged) is type(model)
    torch.testing.assert_close(merged(**batch).loss, after.loss, rtol=1e-4, atol=1e-4)
    options = {**OPTIONS, "do_sample": False}
    inputs = (batch["input_ids"], torch.ones_like(batch["input_ids"]), batch["number_values"])
    new = generate_with_numbers(adapted.eval(), *inputs, **options)
    merged_new = generate_with_numbers(merged.eval(), *inputs, **options)
    assert torch.equal(new[0], merged_new[0])
    torch.testing.assert_close(*(each[1] for each in (new, merged_new)), rtol=1e-2, atol=1e-2, equal_nan=True)


@pytest.mark.parametrize("name", FEW)
def test_gradient_checkpointing_changes_no_gradient(name):
    plain, checkpointed = xval(name, LOG), xval(name, LOG)
    checkpointed.activation_checkpointing_enable({"use_reentrant": True})
    checkpointed.enable_input_require_grads()
    found = gradients(checkpointed, **batch_of(plain), use_cache=False)
    assert relative_difference(found, gradients(plain, **batch_of(plain))) < 1e-5


@pytest.mark.parametrize("name", FEW)
def test_the_signature_is_that_of_the_base_and_more(name):
    model, base = xval(name), tiny_model(name)
    found = list(inspect.signature(model.forward).parameters)
    known = list(inspect.signature(base.forward).parameters)
    assert found[: len(known) - 1] == known[:-1] and found[-1] == known[-1]
    assert {"number_values", "number_labels", "num_items_in_batch", "num_numbers_in_batch"} <= set(found)
    batch = batch_of(model)
    ids = batch.pop("input_ids")
    by_place = model(ids, torch.ones_like(ids), **batch)
    torch.testing.assert_close(by_place.loss, model(input_ids=ids, **batch).loss, rtol=1e-5, atol=1e-5)


def test_refusals(tmp_path):
    config = tiny_model().config
    with pytest.raises(ValueError, match="a xval already"):
        xval_config(xval().config, NUM)
    with pytest.raises(ValueError, match=r"must be the token id of \[NUM\]"):
        xval_config(config, None)
    with pytest.raises(ValueError, match=r"must be the token id of \[NUM\]"):
        model = xval()
        type(model)(type(model.config)())
    with pytest.raises(ValueError, match="`number_weight` is -1"):
        xval_config(config, NUM, number_weight=-1.0)
    with pytest.raises(ValueError, match="beyond the 64 tokens"):
        load_xval(base_folder(tmp_path, "llama"), 64, 64)
    classes = adapted_classes("xval", "llama")
    assert classes is adapted_classes("xval", "llama")
    assert adapted_classes("regression_transformer", "llama")[0] is not classes[0]
