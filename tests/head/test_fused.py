"""`FusedHead`: the loss and its gradient inside the forward pass of any kind of model."""

import inspect
import os
import signal
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from torch._dynamo.utils import counters
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PhiConfig,
    PhiForCausalLM,
)

from ntl_hf import NTLConfig, NumberVocab, number_lora_config
from ntl_hf.head import head_from_logits
from ntl_hf.head.fused import (
    FusedHead,
    UnsupportedHeadError,
    find_head,
)
from ntl_hf.head.one_pass import HeadPlan
from ntl_hf.head.transform import LogitTransform
from ntl_hf.losses import NumberLoss
from ntl_hf.tokens.targets import follow_virtual_tokens, make_targets, shift_labels
from tests.tiers import by_tier
from tests.tiny import ARCHITECTURES, char_tokenizer, tiny_model, twin

VOCAB = NumberVocab.from_tokenizer(char_tokenizer())
ENCODER_DECODERS = ("t5", "bart")


def fused_head(model: Any, **options: Any) -> FusedHead:
    number_loss = NumberLoss(NTLConfig(reweigh=True), VOCAB.values)
    return FusedHead(HeadPlan(VOCAB, number_loss, LogitTransform.from_config(model.config), True, **options))


def batch(model: Any) -> tuple[dict[str, Tensor], Tensor]:
    """Inputs without labels, and labels aligned with the logits."""
    torch.manual_seed(0)
    ids = torch.randint(4, 50, (3, 12))
    labels = ids.masked_fill(torch.rand(ids.shape) < 0.3, -100)
    if model.config.is_encoder_decoder:
        return {"input_ids": ids, "decoder_input_ids": torch.randint(4, 50, ids.shape)}, labels
    return {"input_ids": ids}, shift_labels(labels)


def both_ways(model: Any, inputs: dict[str, Tensor], labels: Tensor, sum_weight: float = 0.5) -> list[dict[str, Any]]:
    """Losses, outputs and gradients: fused, and by autograd through the model's own logits, in float64 if it can."""
    head = fused_head(model)
    # Experts are multiplied in groups, which torch only does in float32.
    dtype = torch.float32 if model.config.model_type == "mixtral" else torch.float64
    exact = twin(model).to(dtype)
    with head.collect(model, make_targets(labels, VOCAB), sum_weight) as result:
        outputs = model(**inputs)
    (result.loss + outputs.logits.sum()).backward()
    exact_inputs = {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs.items()}
    own = head_from_logits(exact(**exact_inputs).logits, make_targets(labels, VOCAB))
    loss = -own.log_probs.sum() + sum_weight * head.plan.number_loss(own.number_logits, own.target, own.log_mass).sum()
    loss.backward()
    found = []
    for value, output, which in ((result.loss, result.output, model), (loss, own, exact)):
        grads = {name: p.grad for name, p in which.named_parameters() if p.grad is not None}
        found.append({"loss": value.detach(), "log_probs": output.log_probs.detach(), "gradients": grads})
    return found


def check(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    torch.testing.assert_close(found["loss"].double(), wanted["loss"].double(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found["log_probs"].double(), wanted["log_probs"].double(), rtol=1e-4, atol=1e-4)
    assert found["gradients"].keys() == wanted["gradients"].keys() and found["gradients"]
    size = max(float(grad.norm()) for grad in wanted["gradients"].values())
    for name, grad in found["gradients"].items():
        difference = (grad.double() - wanted["gradients"][name]).norm()
        assert difference <= 3e-5 * wanted["gradients"][name].norm() + 1e-7 * size, name


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture(architecture: str) -> None:
    model = tiny_model(architecture)
    check(*both_ways(model, *batch(model)))


def test_a_head_with_a_bias() -> None:
    torch.manual_seed(0)
    config = PhiConfig(
        vocab_size=64, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, pad_token_id=0
    )
    model = PhiForCausalLM(config).eval()
    torch.nn.init.normal_(model.lm_head.bias)
    found, wanted = both_ways(model, *batch(model))
    assert wanted["gradients"]["lm_head.bias"].norm() > 0
    check(found, wanted)


def test_a_vision_language_model() -> None:
    torch.manual_seed(0)
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=8, patch_size=4
    )
    text = LlamaConfig(**{**ARCHITECTURES["llama"][2]})
    config = LlavaConfig(
        vision_config=vision, text_config=text, image_token_id=60, vision_feature_layer=-1,
        vision_feature_select_strategy="default",
    )  # fmt: skip
    model = LlavaForConditionalGeneration(config).train()
    ids = torch.randint(4, 50, (2, 12))
    ids[:, 1:5] = 60  # 2 x 2 patches
    labels = shift_labels(ids.masked_fill(ids == 60, -100))
    check(*both_ways(model, {"input_ids": ids, "pixel_values": torch.randn(2, 3, 8, 8)}, labels))


@pytest.mark.parametrize("architecture", ["llama", "llama-tied"])
@pytest.mark.parametrize("kind", ["lora", "trained rows", "trained head"])
def test_adapters(kind: str, architecture: str) -> None:
    model = tiny_model(architecture)
    options: dict[str, Any] = {"init_lora_weights": False, "r": 4}
    if kind == "trained rows":
        config = number_lora_config(model, char_tokenizer(), train_number_rows=True, **options)
    else:
        saved = ["lm_head"] if kind == "trained head" else None
        options |= {"target_modules": ["q_proj"], "task_type": "CAUSAL_LM", "modules_to_save": saved}
        config = LoraConfig(ensure_weight_tying="tied" in architecture and saved is not None, **options)
    adapted = get_peft_model(model, config)
    check(*both_ways(adapted, *batch(model)))


def test_prompt_learning_predicts_the_first_token_from_the_last_virtual_one() -> None:
    from peft import PromptTuningConfig

    model = get_peft_model(tiny_model(), PromptTuningConfig(num_virtual_tokens=3, task_type="CAUSAL_LM"))
    ids = torch.randint(4, 50, (2, 6))
    targets = make_targets(follow_virtual_tokens(ids), VOCAB)
    with fused_head(model).collect(model, targets) as result:
        model(input_ids=ids)
    assert result.output.label_mask.tolist() == [[False, False, *[True] * 6, False]] * 2
    own = model(input_ids=ids, labels=ids).loss
    torch.testing.assert_close(result.loss / 12, own)


def test_generation_and_forward_are_untouched_outside_and_after() -> None:
    model = tiny_model().eval()
    ids = torch.tensor([[5, 6, 7]])
    before, signature = model(ids).logits, inspect.signature(model.forward)
    forward = model.lm_head.forward
    with fused_head(model).collect(model, make_targets(ids, VOCAB)):
        assert model(ids).logits.shape == (1, 0, 64)
    assert torch.equal(model(ids).logits, before)
    assert inspect.signature(model.forward) == signature
    assert model.lm_head.forward == forward and "forward" not in model.lm_head.__dict__


def test_the_head_is_given_back_after_an_error() -> None:
    model = tiny_model()
    with pytest.raises(IndexError), fused_head(model).collect(model, make_targets(torch.tensor([[5]]), VOCAB)):
        model(torch.tensor([[1000]]))
    assert "forward" not in model.lm_head.__dict__


def test_a_forward_of_somebody_elses_on_the_head_is_kept() -> None:
    model = tiny_model()
    model.lm_head.forward = own = lambda hidden: nn.functional.linear(hidden, model.lm_head.weight)
    ids = torch.tensor([[5, 6, 7]])
    with fused_head(model).collect(model, make_targets(ids, VOCAB)):
        model(ids)
    assert model.lm_head.forward is own


def test_heads_that_are_not_known() -> None:
    model = tiny_model()
    lora = get_peft_model(tiny_model(), LoraConfig(target_modules=["lm_head"], task_type="CAUSAL_LM"))
    with pytest.raises(UnsupportedHeadError, match="output embeddings of LlamaForCausalLM are a Linear"):
        find_head(lora)

    class Normalised(nn.Linear):
        def forward(self, hidden: Tensor) -> Tensor:
            return nn.functional.linear(hidden, self.weight / self.weight.norm())

    model.lm_head = Normalised(32, 64)
    with pytest.raises(UnsupportedHeadError, match="LlamaForCausalLM are a Normalised"):
        find_head(model)
    with pytest.raises(UnsupportedHeadError, match="LlamaModel has no output embeddings"):
        find_head(tiny_model().model)
    offloaded = tiny_model()
    offloaded.lm_head.to("meta")
    with pytest.raises(UnsupportedHeadError, match="are offloaded"):
        find_head(offloaded)


def test_a_model_that_goes_around_its_output_embeddings() -> None:
    model = tiny_model()
    targets = make_targets(torch.tensor([[5, 6]]), VOCAB)
    with pytest.raises(UnsupportedHeadError, match="did not call"), fused_head(model).collect(model, targets):
        model.model(torch.tensor([[5, 6]]))


@pytest.mark.parametrize("reason", by_tier(["cold", "warm"], ["warm"]))
def test_a_compiled_model_has_one_graph(reason: str) -> None:
    torch.compiler.reset()
    model = tiny_model()
    inputs, labels = batch(model)
    head = fused_head(model, metrics=True)
    if reason == "warm":
        VOCAB.columns(labels)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    for sum_weight in (torch.tensor(0.5), torch.tensor(2.0)):
        found = []
        for which in (compiled, model):
            with head.collect(model, make_targets(labels, VOCAB), sum_weight) as result:
                outputs = which(**inputs)
            (result.loss + outputs.logits.sum()).backward()
            found.append([result.loss, result.output.entropy, *(p.grad for p in model.parameters())])
            model.zero_grad()
        torch.testing.assert_close(*found)


def test_ragged_batches_share_a_graph() -> None:
    torch.compiler.reset()
    counters.clear()
    model = tiny_model()
    head, compiled = fused_head(model), torch.compile(model, backend="aot_eager", fullgraph=True)
    for length in (5, 6, 10, 15):
        ids = torch.randint(4, 50, (2, length))
        targets = make_targets(ids, VOCAB)
        with head.collect(model, targets, torch.tensor(0.5)) as result:
            outputs = compiled(input_ids=ids)
        (result.loss + outputs.logits.sum()).backward()
    assert counters["stats"]["unique_graphs"] <= 3


def test_the_operator_survives_a_fork() -> None:
    """Data loaders fork, after a compiled evaluation say; threads do not come along."""
    from ntl_hf.head.one_pass.function import _WORKER

    assert _WORKER.run(lambda: ()) == ()
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        os._exit(0 if _WORKER.run(lambda: ()) == () else 1)
    assert os.waitpid(child, 0)[1] == 0
