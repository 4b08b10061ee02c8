"""The gradient of an optimizer step against float64 autograd on full logits."""

import pytest
import torch
from peft import LoraConfig, get_peft_model

from ntl_hf import (
    NTLConfig,
    NTLSeq2SeqTrainer,
    NTLSFTTrainer,
    NTLTrainer,
)
from tests.build import first_step, make_trainer
from tests.pairwise import parametrize_pairwise
from tests.reference import step_gradients
from tests.tiny import tiny_model, twin
from tests.trainers.gradients import PACKINGS, SPREADS, check_against_reference

DECODER_TRAINERS, HEADS = [NTLTrainer, NTLSFTTrainer], ["fused", "logits"]
DECODERS = ["llama", "llama-tied", "qwen", "granite", "gemma", "cohere", "falcon-h1", "mamba"]


@parametrize_pairwise(
    architecture=DECODERS, trainer_class=DECODER_TRAINERS, head=HEADS, weight=[0.3, 0.7], reweigh=[False, True]
)
def test_every_architecture(architecture, trainer_class, head, weight, reweigh, tmp_path):
    """From hidden states and from logits: where that is safe, the gradient takes the place of these."""
    model = tiny_model(architecture)
    options = {"ntl_config": NTLConfig(weight=weight, reweigh=reweigh, head=head)}
    trainer = make_trainer(trainer_class, twin(model), tmp_path, trainer_options=options)
    check_against_reference(trainer, model, weight=weight, reweigh=reweigh)


@parametrize_pairwise(architecture=["t5", "bart"], trainer_class=[NTLTrainer, NTLSeq2SeqTrainer], spread=SPREADS)
def test_encoder_decoder_at_any_accumulation(architecture, trainer_class, spread, tmp_path):
    model = tiny_model(architecture)
    size, steps = SPREADS[spread]
    trainer = make_trainer(
        trainer_class, twin(model), tmp_path, per_device_train_batch_size=size, gradient_accumulation_steps=steps
    )
    check_against_reference(trainer, model)


@parametrize_pairwise(trainer_class=DECODER_TRAINERS, spread=SPREADS, text_rows=[0, 2, 7])
def test_decoder_at_any_accumulation_and_with_micro_batches_without_numbers(
    trainer_class, spread, text_rows, tmp_path
):
    model = tiny_model()
    size, steps = SPREADS[spread]
    trainer = make_trainer(
        trainer_class,
        twin(model),
        tmp_path,
        text_rows=text_rows,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=steps,
    )
    check_against_reference(trainer, model)


@parametrize_pairwise(
    trainer_class=[*DECODER_TRAINERS, NTLSeq2SeqTrainer], weight=[0.0, 0.3], head=HEADS, spread=SPREADS
)
def test_gaussian_cross_entropy(trainer_class, weight, head, spread, tmp_path):
    """Alone, where the weight is 0, and with the number loss."""
    model = tiny_model("t5" if trainer_class is NTLSeq2SeqTrainer else "llama")
    options = {"ntl_config": NTLConfig(weight=weight, gaussian_sigma=1.0, head=head)}
    size, steps = SPREADS[spread]
    trainer = make_trainer(
        trainer_class,
        twin(model),
        tmp_path,
        text_rows=2,
        trainer_options=options,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=steps,
    )
    check_against_reference(trainer, model, weight=weight, sigma=1.0)


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
@pytest.mark.parametrize("architecture", ["llama", "llama-tied"])
def test_lora(trainer_class, architecture, tmp_path):
    model = tiny_model(architecture)
    config = LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
    trainer = make_trainer(trainer_class, twin(model), tmp_path, trainer_options={"peft_config": config})
    adapted = twin(trainer.model)
    assert all("lora" in name for name, p in trainer.model.named_parameters() if p.requires_grad)
    # TRL's patched forward stays bound to the original: the reference needs a clean model with the same adapter.
    clean = get_peft_model(tiny_model(architecture), config)
    clean.load_state_dict(adapted.state_dict())
    check_against_reference(trainer, clean)


@pytest.mark.parametrize("packing", PACKINGS)
def test_sft_packings(packing, tmp_path):
    model = tiny_model()
    trainer = make_trainer(
        NTLSFTTrainer,
        twin(model),
        tmp_path,
        rows=24,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        **PACKINGS[packing],
    )
    check_against_reference(trainer, model)


def test_float32_result_in_bfloat16_models(tmp_path):
    """In bf16 the number mass comes from two roundings of the same product; it may not exceed 1 or drift."""
    model = tiny_model().bfloat16()
    trainer = make_trainer(NTLSFTTrainer, twin(model), tmp_path, per_device_train_batch_size=8)
    _, batches = first_step(trainer)
    _, values = step_gradients(model, batches)
    logged = trainer.state.log_history[0]
    for name, value in values.items():
        assert logged[name] == pytest.approx(value, rel=0.02), name
    assert 0 < logged["number_mass"] <= 1
    assert all(p.dtype == torch.bfloat16 for p in trainer.model.parameters())
