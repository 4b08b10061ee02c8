"""Models in four and eight bits; runs where bitsandbytes is installed (the extra `qlora`)."""

import json

import pytest
from torch import nn

from ntl_hf.cli.main import main
from ntl_hf.trainers.model_modes import keep_differentiable
from tests.tiny import char_tokenizer, tiny_model


def first_logs(out):
    logs = json.loads((out / "trainer_state.json").read_text())["log_history"]
    return [{name: log[name] for name in ("loss", "grad_norm")} for log in logs if "grad_norm" in log]


@pytest.mark.parametrize("bits", ["load_in_4bit", "load_in_8bit"])
@pytest.mark.parametrize(("command", "kind"), [("sft", "llama-tied"), ("train", "llama"), ("train", "t5")])
def test_the_loss_and_its_gradient_are_those_of_the_logits(recipe, tmp_path, command, kind, bits):
    """With an evaluation before the last step: it must leave the layers as they were."""
    pytest.importorskip("bitsandbytes")
    tiny_model(kind).save_pretrained(tmp_path / "model")
    char_tokenizer().save_pretrained(tmp_path / "model")
    config = recipe(
        **{bits: True}, lora_dropout=0.0, learning_rate=1e-5, save_strategy="no", eval_strategy="steps", eval_steps=1
    )
    for head in ("fused", "logits"):
        assert main([command, "--config", config, "--ntl_head", head, "--output_dir", str(tmp_path / head)]) == 0
    fused, logits = first_logs(tmp_path / "fused"), first_logs(tmp_path / "logits")
    assert len(fused) == 2
    for ours, reference in zip(fused, logits, strict=True):
        assert ours == pytest.approx(reference, rel=1e-3)


def test_layers_stay_in_the_layout_that_has_a_gradient():
    model = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    model[1].support_avx512bf16_for_cpu = True  # as bitsandbytes' layers have it
    keep_differentiable(model)
    assert model[1].support_avx512bf16_for_cpu is False
    assert not hasattr(model[0], "support_avx512bf16_for_cpu")
