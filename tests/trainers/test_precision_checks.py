"""Half precision on a CPU without instructions for it: one line says so, before training and evaluation."""

import warnings
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

from ntl_hf import NTLSeq2SeqTrainer, NTLSFTTrainer, NTLTrainer
from ntl_hf.cli.main import main
from ntl_hf.compare.processes import Slot
from ntl_hf.compare.run_cells import run_cells
from ntl_hf.trainers import precision_checks
from ntl_hf.trainers.precision_checks import (
    has_instructions,
    slowdown,
    warn_of_slow_dtypes,
    warn_of_slow_settings,
    warn_of_slow_training,
)
from tests.build import make_trainer
from tests.compare.hand import make_cell, make_plan
from tests.systems.trainer_worker import build
from tests.tiny import char_tokenizer, tiny_model

# What `torch.cpu.get_capabilities` says of a processor with AVX2 and no more, of a Zen 4, of a Sapphire Rapids.
AVX2 = {"architecture": "x86_64", "avx2": True, "avx512_bf16": False, "amx_tile": False, "amx_bf16": False}
ZEN_4 = {**AVX2, "avx512_f": True, "avx512_bf16": True}
SAPPHIRE_RAPIDS = {**ZEN_4, "amx_tile": True, "amx_bf16": True, "avx512_fp16": True}
NEOVERSE = {"architecture": "aarch64", "neon": True, "bf16": True, "fp16_arith": True}
MESSAGE = r"bfloat16 on this CPU takes 41 times as long as float32.*`bf16` and `fp16` to false and `dtype` to float32"


@pytest.fixture
def processor(monkeypatch):
    """Take the place of this machine's processor; returns the dtypes that were timed."""

    def be(capabilities, factor=41.2):
        timed = []
        monkeypatch.setattr(precision_checks, "_capabilities", lambda: capabilities)
        monkeypatch.setattr(precision_checks, "slowdown", lambda dtype: timed.append(dtype) or factor)
        monkeypatch.setattr("torch.accelerator.is_available", lambda: False)
        return timed

    return be


@pytest.mark.parametrize(
    ("capabilities", "bfloat16", "float16"),
    [
        (AVX2, False, False),
        (ZEN_4, True, False),
        (SAPPHIRE_RAPIDS, True, True),
        (NEOVERSE, True, True),
        ({}, False, False),
    ],
)
def test_which_processors_have_instructions(capabilities, bfloat16, float16):
    assert has_instructions(torch.bfloat16, capabilities) == bfloat16
    assert has_instructions(torch.float16, capabilities) == float16


def test_the_factor_is_measured_and_leaves_threads_and_random_state_alone():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    with torch.no_grad():
        assert slowdown(torch.bfloat16) > 0
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)


def test_torch_that_has_no_list_is_asked_by_its_older_names(monkeypatch):
    monkeypatch.delattr("torch.cpu.get_capabilities", raising=False)
    for name in ("avx512_bf16", "amx_tile", "amx_fp16"):
        monkeypatch.setattr(f"torch.cpu._is_{name}_supported", lambda: False, raising=False)
    assert not has_instructions(torch.bfloat16, precision_checks._capabilities())
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: True, raising=False)
    assert has_instructions(torch.bfloat16, precision_checks._capabilities())


def test_one_line_for_all_of_a_run(processor):
    processor(AVX2)
    with pytest.warns(UserWarning, match=MESSAGE) as caught:
        warn_of_slow_dtypes([None, torch.float32, torch.bfloat16, torch.bfloat16, torch.float16])
    assert len(caught) == 1 and "\n" not in str(caught[0].message)


@pytest.mark.parametrize(
    ("capabilities", "factor", "dtypes"),
    [(ZEN_4, 41, [torch.bfloat16]), (AVX2, 1.1, [torch.bfloat16]), (AVX2, 41, [torch.float32, torch.uint8, None])],
    ids=["instructions", "as quick", "float32"],
)
def test_nothing_is_said_where_nothing_is_slow(capabilities, factor, dtypes, processor):
    processor(capabilities, factor)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_slow_dtypes(dtypes)


def test_float32_is_not_timed(processor):
    timed = processor(AVX2)
    warn_of_slow_dtypes([torch.float32])
    assert not timed


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSeq2SeqTrainer, NTLSFTTrainer])
@pytest.mark.parametrize("asked", [{"bf16": True}, {"bf16_full_eval": True}, "weights"])
def test_every_trainer_says_it_before_training(trainer_class, asked, processor, tmp_path):
    kind = "t5" if trainer_class is NTLSeq2SeqTrainer else "llama"
    model = tiny_model(kind)
    settings = {} if asked == "weights" else asked
    trainer = make_trainer(trainer_class, model.bfloat16() if asked == "weights" else model, tmp_path, **settings)
    processor(AVX2)
    with pytest.warns(UserWarning, match=MESSAGE):
        trainer.train()


@pytest.mark.parametrize("system", ["regression_head", "xval"])
def test_number_heads_say_it_too(system, processor, tmp_path):
    trainer = build(system, "llama", tmp_path, max_steps=1, bf16=True)
    processor(AVX2)
    with pytest.warns(UserWarning, match=MESSAGE):
        trainer.train()


def test_an_evaluation_says_it_of_the_model_as_it_was_loaded(processor, tmp_path):
    tiny_model("llama").bfloat16().save_pretrained(tmp_path / "model")
    char_tokenizer().save_pretrained(tmp_path / "model")
    words = ["--model_name_or_path", str(tmp_path / "model"), "--output_dir", str(tmp_path / "out")]
    words += ["--use_cpu", "true", "--task", "readings", "--max_eval_samples", "2"]
    words += ["--max_new_tokens", "2", "--resamples", "20"]
    processor(AVX2)
    with pytest.warns(UserWarning, match=MESSAGE):
        assert main(["evaluate", *words]) == 0


def test_a_comparison_says_it_once_before_its_cells(processor, tmp_path):
    processor(AVX2)
    plan = make_plan(tmp_path)
    cells = [make_cell(plan, name, 0, resolved={"use_cpu": True, "bf16": True}) for name in plan.variants]
    pool = SimpleNamespace(slots=[Slot()], run=lambda *_: None)
    with pytest.warns(UserWarning, match=MESSAGE) as caught:
        run_cells(cells, pool, Console(stderr=True))
    assert len([each for each in caught if "on this CPU" in str(each.message)]) == 1


def test_a_training_in_float32_is_not_warned_of(processor, tmp_path):
    timed = processor(AVX2)
    trainer = make_trainer(NTLTrainer, tiny_model("llama"), tmp_path)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*on this CPU.*")
        trainer.train()
    assert not timed


@pytest.mark.parametrize(("device", "is_main"), [("cuda", True), ("cpu", False)])
def test_nothing_is_timed_on_a_gpu_nor_in_other_processes(device, is_main, processor):
    timed = processor(AVX2)
    args = SimpleNamespace(device=torch.device(device), bf16_full_eval=True)
    model = torch.nn.Linear(1, 1).bfloat16()
    accelerator = SimpleNamespace(is_main_process=is_main, mixed_precision="bf16")
    warn_of_slow_training(SimpleNamespace(args=args, accelerator=accelerator, model=model))
    assert not timed


@pytest.mark.parametrize(
    ("runs", "is_slow"),
    [
        ([{"use_cpu": True, "dtype": "bfloat16", "bf16": False}], True),
        ([{"use_cpu": True, "dtype": "float32", "bf16": False}, {"bf16": True}], True),
        ([{"use_cpu": True, "dtype": "float32", "bf16": False}], False),
        ([{"use_cpu": True, "dtype": None}, {"dtype": "auto"}], False),
    ],
)
def test_the_settings_of_a_comparison(runs, is_slow, processor):
    assert bool(processor_says(runs, processor)) == is_slow


def processor_says(runs, processor):
    processor(AVX2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_slow_settings(runs)
    return caught


def test_a_machine_with_a_gpu_is_asked_of_its_cpu_only_with_use_cpu(processor, monkeypatch):
    timed = processor(AVX2)
    monkeypatch.setattr("torch.accelerator.is_available", lambda: True)
    warn_of_slow_settings([{"bf16": True, "dtype": "bfloat16", "use_cpu": False}])
    assert not timed
