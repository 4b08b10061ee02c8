"""Supervised fine-tuning of a decoder-only model with CE + NTL, the script behind `ntl-hf sft`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasets import Dataset, IterableDataset, load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.trainer_utils import get_last_checkpoint
from trl import ModelConfig, get_peft_config, get_quantization_config

from ..arguments import NTLSFTConfig
from ..data import load_gsm8k
from ..digit_tokens import add_digit_tokens
from ..lora import with_number_rows
from ..trainers import NTLSFTTrainer

# What a finished or interrupted run leaves in its folder.
RUN_MARKS = ("checkpoint-*", "*.safetensors", "adapter_config.json", "trainer_state.json")


@dataclass
class DataArguments:
    """What to train on: a task that ntl_hf knows, or any data set with the columns that TRL takes."""

    task: str | None = field(default=None, metadata={"help": "A data set by name: 'gsm8k'.", "choices": ["gsm8k"]})
    data_path: str | None = field(
        default=None,
        metadata={"help": "Local folder of the task (gsm8k: train.jsonl and test.jsonl). Default: the hub."},
    )
    keep_annotations: bool = field(
        default=False, metadata={"help": "gsm8k: keep the calculator annotations, such as <<48/2=24>>."}
    )
    dataset_name: str | None = field(
        default=None,
        metadata={"help": "Hub id or folder of a data set with 'prompt' and 'completion', 'messages' or 'text'."},
    )
    dataset_config: str | None = field(default=None, metadata={"help": "Configuration of `dataset_name`."})
    dataset_train_split: str = field(default="train", metadata={"help": "Split to train on."})
    dataset_test_split: str = field(default="test", metadata={"help": "Split to evaluate on."})
    max_train_samples: int | None = field(default=None, metadata={"help": "Train on the first rows only."})
    max_eval_samples: int | None = field(default=None, metadata={"help": "Evaluate on the first rows only."})


@dataclass
class NumberTokenArguments:
    """What is done to the tokenizer and to the rows of its number tokens."""

    add_digit_tokens: bool = field(
        default=False, metadata={"help": "Add the single digits that the tokenizer lacks, and train their rows."}
    )
    train_number_rows: bool = field(
        default=False,
        metadata={"help": "With LoRA: also train the rows of the number tokens in the embedding and the head."},
    )


def build_trainer(
    data_args: DataArguments, token_args: NumberTokenArguments, args: NTLSFTConfig, model_args: ModelConfig
) -> NTLSFTTrainer:
    """Load model, tokenizer and data, and build the trainer; everything that can be refused is refused here.

    Raises:
        ValueError: arguments, data or model that cannot be trained with; `OSError` where something is not found.
    """
    if model_args.model_name_or_path is None:
        raise ValueError("`model_name_or_path` is missing: a hub id or a local folder.")
    args.resume_from_checkpoint = resolve_checkpoint(args)
    check_output_dir(args)
    # The data first: it is quick to read, and a typo in its path should not cost the loading of a model.
    train_dataset = load_split(data_args, data_args.dataset_train_split, data_args.max_train_samples)
    eval_dataset = None
    if args.eval_strategy != "no":
        eval_dataset = load_split(data_args, data_args.dataset_test_split, data_args.max_eval_samples)
    tokenizer = AutoTokenizer.from_pretrained(
        model_args.model_name_or_path, revision=model_args.model_revision, trust_remote_code=args.trust_remote_code
    )
    model = AutoModelForCausalLM.from_pretrained(model_args.model_name_or_path, **_model_kwargs(args, model_args))
    added = add_digit_tokens(tokenizer, model) if token_args.add_digit_tokens else []
    peft_config = get_peft_config(model_args)
    if peft_config is not None:
        peft_config = with_number_rows(
            peft_config, model, tokenizer if token_args.train_number_rows else None, added, args.ntl_digits_only
        )
    trainer = NTLSFTTrainer(
        model=model,
        args=args,
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        processing_class=tokenizer,
        peft_config=peft_config,
    )
    trainer.check_training_data()
    return trainer


def train(trainer: NTLSFTTrainer) -> None:
    """Train, and save the model, the metrics and the state of the run."""
    result = trainer.train(resume_from_checkpoint=trainer.args.resume_from_checkpoint)
    trainer.save_model()
    trainer.save_state()
    trainer.log_metrics("train", result.metrics)
    trainer.save_metrics("train", result.metrics)
    if trainer.args.push_to_hub:
        trainer.push_to_hub()


def resolve_checkpoint(args: NTLSFTConfig) -> str | None:
    """The folder to resume from: `true` is the last checkpoint in `output_dir`, `false` none.

    Raises:
        ValueError: there is no such checkpoint.
    """
    wanted = str(args.resume_from_checkpoint or "false")
    if wanted.lower() == "false":
        return None
    if wanted.lower() != "true":
        folder: str | None = wanted if Path(wanted).is_dir() else None
    else:
        folder = get_last_checkpoint(args.output_dir) if Path(args.output_dir).is_dir() else None
    if folder is None:
        raise ValueError(f"--resume_from_checkpoint {wanted}: no such checkpoint (output_dir is {args.output_dir}).")
    return folder


def check_output_dir(args: NTLSFTConfig) -> None:
    """Raise `ValueError` if the output folder holds another run and this one does not resume it."""
    folder = Path(args.output_dir)
    if folder.is_file():
        raise ValueError(f"`output_dir` {folder} is a file.")
    found = sorted(path.name for mark in RUN_MARKS for path in folder.glob(mark))
    if found and not args.resume_from_checkpoint:
        raise ValueError(
            f"`output_dir` {folder} holds another run ({', '.join(found[:4])}). Choose another folder, or continue "
            "that run with --resume_from_checkpoint true."
        )


def load_split(data_args: DataArguments, split: str, limit: int | None) -> Dataset | IterableDataset:
    """Load one split.

    Raises:
        ValueError: no data set or two are named, an unknown split, or no rows.
    """
    if (data_args.task is None) == (data_args.dataset_name is None):
        raise ValueError("Name the data: either `task: gsm8k` or `dataset_name: HUB_ID_OR_FOLDER`.")
    if data_args.data_path is not None and data_args.task is None:
        raise ValueError("`data_path` is the folder of a `task`; give a data set's folder as `dataset_name`.")
    if limit is not None and limit < 1:
        raise ValueError(f"`max_train_samples` and `max_eval_samples` must be 1 or more, not {limit}.")
    if data_args.task == "gsm8k":
        dataset = load_gsm8k(data_args.data_path, split, data_args.keep_annotations)
    else:
        dataset = load_dataset(data_args.dataset_name, data_args.dataset_config, split=split)
    dataset = dataset if limit is None else dataset.select(range(min(limit, len(dataset))))
    if not len(dataset):
        raise ValueError(f"The split '{split}' has no rows.")
    return dataset


def _model_kwargs(args: NTLSFTConfig, model_args: ModelConfig) -> dict[str, Any]:
    kwargs = {
        "revision": model_args.model_revision,
        "trust_remote_code": args.trust_remote_code,
        "attn_implementation": model_args.attn_implementation,
        "dtype": model_args.dtype,
        **(args.model_init_kwargs or {}),
    }
    quantization = get_quantization_config(model_args)
    return kwargs if quantization is None else {**kwargs, "quantization_config": quantization}
