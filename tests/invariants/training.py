"""Train one case, in one process or as one of several, and return what is to be compared."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from accelerate import PartialState
from accelerate.utils import DistributedType
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM
from transformers.integrations.deepspeed import unset_hf_deepspeed_config

from ntl_hf import NTLConfig
from ntl_hf.tokens.targets import IGNORE_INDEX
from ntl_hf.trainers.lora import number_lora_config
from tests.build import ARGUMENTS, KeepBatches, make_args, make_trainer
from tests.invariants.cases import CASES, MODE_ARGUMENTS, ROWS_PER_STEP, STEPS, Case
from tests.tiny import char_tokenizer, prompt_completion, tokenized, tokenized_pairs

# Of two processes with batches of two, the second one sees these rows in the second step: it has no number there.
# The other two are one micro-batch of the fourth step.
WITHOUT_NUMBERS = (10, 11, 14, 15, 24, 25)
PROBE = torch.arange(4, 24).unsqueeze(0)


def train(name: str, folder: Path, size: int, accumulation: int, mode: str | None = None, resume: bool = False) -> Any:
    """Take `STEPS` SGD steps, each on the same eight rows however they are spread; save and evaluate.

    Args:
        name: of the case.
        folder: holds the base models (`models/`); the run writes to a folder of its own beside them.
        size: rows of a batch in one process.
        accumulation: batches of a step in one process.
        mode: how the processes share the work; None is a single process.
        resume: go on from the checkpoint of the third step that an earlier run left.
    """
    case = CASES[name]
    trainer = build(case, folder, folder / "runs" / name, mode, size, accumulation)
    trainer.check_training_data()  # before the collator is watched: it may collate a sample
    trainer.data_collator = watched = KeepBatches(trainer.data_collator)
    trainer.check_training_data = lambda: None
    started = _whole_parameters(trainer.model) if mode is None else None
    trainer.train(resume_from_checkpoint=str(folder / "runs" / name / "checkpoint-3") if resume else None)
    vocab = trainer.objective.vocab
    result = {
        "started": started,
        "parameters": _whole_parameters(trainer.model),
        "local": _local_size(trainer, mode),
        "numbers": [int((vocab.columns(batch["labels"]) >= 0).sum()) for batch in watched.batches],
        "logs": [log for log in trainer.state.log_history if "loss" in log],
        "world_size": trainer.accelerator.num_processes,
        "wrapper": type(trainer.model_wrapped).__name__,
        "stage": trainer.model_wrapped.zero_optimization_stage() if "zero" in (mode or "") else None,
        "is_fused": trainer.head_choice.is_fused,
    }
    return result if resume else {**result, **_after_training(trainer, case, folder / "saved" / name)}


def evaluate(name: str, folder: Path, mode: str | None = None) -> dict[str, Any]:
    """Evaluate a model that was not trained."""
    trainer = build(CASES[name], folder, folder / "evaluated" / name, mode, 2, 1)
    trainer.args.per_device_eval_batch_size = 1
    evaluation = trainer.evaluate(trainer.eval_dataset.select(range(5)))
    return {"evaluation": evaluation, "is_training": trainer.model.training}


def _after_training(trainer: Any, case: Case, folder: Path) -> dict[str, Any]:
    trainer.args.per_device_eval_batch_size = 1
    evaluation = trainer.evaluate(trainer.eval_dataset.select(range(5)))  # an odd number: one process repeats a row
    trainer.save_model(str(folder))
    return {"evaluation": evaluation, "logits": probe(trainer.model_wrapped, case.architecture == "t5")}


def build(case: Case, folder: Path, output: Path, mode: str | None, size: int, accumulation: int) -> Any:
    """The trainer of one case, on a base model that is read from disk as users do."""
    model = None
    if case.adapter == "rows":
        # Before there are arguments that name DeepSpeed: with ZeRO-3 in force, peft reads the rows on a GPU only.
        unset_hf_deepspeed_config()
        model = _with_adapter(case, load_base(folder, case.architecture))
    args = make_args(
        ARGUMENTS[case.trainer],
        output,
        **{
            "per_device_train_batch_size": size,
            "gradient_accumulation_steps": accumulation,
            "max_steps": STEPS,
            "train_sampling_strategy": "sequential",
            "save_strategy": "steps",
            "save_steps": 3,
            **case.arguments,
            **MODE_ARGUMENTS[mode],
        },
    )
    if mode in ("fsdp2", "tp"):
        # Without a GPU, accelerate takes the processes for another kind, and quietly wraps the model in DDP.
        _ = args.device
        PartialState().distributed_type = DistributedType.MULTI_GPU
    if model is None:
        model = load_base(folder, case.architecture, **({"tp_plan": "auto"} if mode == "tp" else {}))
    options: dict[str, Any] = {
        "ntl_config": NTLConfig(weight_schedule="cosine", warmup_steps=2, head=case.head, **case.config),
        "train_dataset": _rows(case),
    }
    if case.adapter and case.adapter != "rows":
        torch.manual_seed(0)
        options["peft_config"] = _adapter(case, model)
    trainer = make_trainer(case.trainer, model, output, args=args, trainer_options=options)
    # With momentum, a checkpoint has a state of the optimizer to restore; torch cannot read back FSDP2's without.
    trainer.optimizer_cls_and_kwargs = (torch.optim.SGD, {"lr": 0.01, "momentum": 0.9})
    if case.adapter == "columns":
        _start_alike(trainer.model)
    return trainer


def load_base(folder: Path, architecture: str, **options: Any) -> Any:
    """A base model as it was written for the runs in `folder`."""
    return load(folder / "models" / architecture, **options)


def load(folder: Path, **options: Any) -> Any:
    """A model from its own folder."""
    is_t5 = "T5" in (folder / "config.json").read_text()
    return (AutoModelForSeq2SeqLM if is_t5 else AutoModelForCausalLM).from_pretrained(folder, **options)


def probe(model: Any, is_encoder_decoder: bool) -> torch.Tensor:
    """Logits of a fixed text, to compare models by."""
    model.eval()
    more = {"decoder_input_ids": PROBE} if is_encoder_decoder else {}
    with torch.no_grad():
        return model(input_ids=PROBE, **more).logits.clone()


def _with_adapter(case: Case, model: Any) -> Any:
    torch.manual_seed(0)
    return get_peft_model(model, _adapter(case, model))


def _adapter(case: Case, model: Any) -> LoraConfig:
    # At random: of an adapter that starts at zero, half would have no gradient.
    options: dict[str, Any] = {"r": 4, "init_lora_weights": False}
    if case.adapter == "head":
        options["modules_to_save"] = ["lm_head"]
    if case.adapter == "columns":
        options["target_modules"] = ["q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"]
    return number_lora_config(model, char_tokenizer(), train_number_rows=case.adapter == "rows", **options)


@torch.no_grad()
def _start_alike(model: Any) -> None:
    """Give an adapter its first values by name: under tensor parallelism, each process would draw its own."""
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            whole = 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(crc32(name.encode())))
            if isinstance(parameter, DTensor):
                whole = distribute_tensor(whole, parameter.device_mesh, parameter.placements)
            parameter.copy_(whole)


def _rows(case: Case) -> Dataset:
    """The rows of all steps, in the order in which they are trained."""
    if case.rows == "many":
        return prompt_completion(4 * STEPS * ROWS_PER_STEP)
    if case.rows == "unlabelled":
        return tokenized(char_tokenizer(), STEPS * ROWS_PER_STEP).map(_without_labels, with_indices=True)
    texts = len(WITHOUT_NUMBERS)
    if "SFT" in case.trainer.__name__:
        rows = prompt_completion(STEPS * ROWS_PER_STEP, text_rows=texts)
    else:
        make = tokenized_pairs if case.architecture == "t5" else tokenized
        rows = make(char_tokenizer(), STEPS * ROWS_PER_STEP, text_rows=texts)
    without, numbers = iter(range(texts)), iter(range(texts, len(rows)))
    return rows.select([next(without if i in WITHOUT_NUMBERS else numbers) for i in range(len(rows))])


def _without_labels(row: dict[str, Any], index: int) -> dict[str, Any]:
    if index not in WITHOUT_NUMBERS:
        return row
    # TRL drops rows without any label; this one's predicts nothing.
    return {**row, "labels": [row["input_ids"][0]] + [IGNORE_INDEX] * (len(row["labels"]) - 1)}


def _local_size(trainer: Any, mode: str | None) -> int:
    """Elements that this process holds of what the mode shares out: parameters, or the optimizer's copy of them."""
    if mode == "zero2":
        return sum(part.numel() for part in trainer.model_wrapped.optimizer.single_partition_of_fp32_groups)
    return sum(_held(parameter) for parameter in trainer.model.parameters())


def _held(parameter: torch.Tensor) -> int:
    if hasattr(parameter, "ds_tensor"):
        return int(parameter.ds_tensor.numel())
    return parameter.to_local().numel() if isinstance(parameter, DTensor) else parameter.numel()


def _whole_parameters(model: Any) -> dict[str, torch.Tensor]:
    """The trained parameters, put together from all processes."""
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    with _gathered(list(trained.values())):
        whole = {name: p.full_tensor() if isinstance(p, DTensor) else p for name, p in trained.items()}
        return {name: p.detach().clone() for name, p in whole.items()}


def _gathered(parameters: list[Any]) -> Any:
    if not hasattr(parameters[0], "ds_id"):
        return nullcontext()
    import deepspeed

    return deepspeed.zero.GatheredParameters(parameters)
