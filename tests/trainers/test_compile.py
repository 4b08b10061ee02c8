"""Under `torch_compile` our part of a step neither breaks the graph nor changes the result."""

import pytest
import torch
from torch._dynamo.utils import counters

from ntl_hf import (
    NTLConfig,
    NTLSeq2SeqTrainer,
    NTLSFTTrainer,
    NTLTrainer,
)
from tests.build import first_step, make_trainer, relative_difference
from tests.tiers import by_tier
from tests.tiny import tiny_model

CASES = {
    "plain": (NTLTrainer, "llama", {}),
    "seq2seq": (NTLSeq2SeqTrainer, "t5", {}),
    "sft": (NTLSFTTrainer, "llama-tied", {}),
    "sft, whole numbers": (NTLSFTTrainer, "llama-tied", {"loss": "crps:0.5+number:0.1", "place_weights": "ntil"}),
}


@pytest.mark.parametrize("name", by_tier(CASES, ["plain", "seq2seq", "sft, whole numbers"]))
def test_compiled_steps(name, tmp_path):
    trainer_class, architecture, config = CASES[name]
    found = []
    torch.compiler.reset()
    counters.clear()
    # Twice: the second one finds hooks and caches of the first.
    for compiled in (False, True, True):
        trainer = make_trainer(
            trainer_class,
            tiny_model(architecture),
            tmp_path,
            max_steps=2,
            torch_compile=compiled,
            trainer_options={"ntl_config": NTLConfig(**config)},
            **({"torch_compile_backend": "aot_eager"} if compiled else {}),
        )
        found.append(first_step(trainer)[0])
        assert trainer.head_choice.is_fused
    assert counters["stats"]["unique_graphs"] > 0, "nothing was compiled"
    assert not counters["graph_break"]
    for compiled in found[1:]:
        renamed = {key.removeprefix("_orig_mod."): value for key, value in compiled.items()}
        assert relative_difference(renamed, found[0]) < 1e-5
