"""What is refused before training starts, in one clear message each."""

import os
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from accelerate.utils import DistributedType, gather_object
from datasets import Dataset
from torch import Tensor

from ..data.encode import RENAME
from ..data.sets import column_names
from ..settings.config import NTLConfig
from ..tokens.number_vocab import NumberVocab
from ..tokens.placed_digits import has_number_tokens
from ..tokens.targets import IGNORE_INDEX

NO_LABELS = (
    "The batches have no `labels`. Add them to the rows, the end of text among them, and pad with "
    "`DataCollatorForSeq2Seq(tokenizer)`."
)
# Examples read from a data set whose labels are made on the fly, where reading all would be as long as an epoch.
_SAMPLE = 1000


def check_parallelism(trainer: Any) -> None:
    """Raise `ValueError` under `nn.DataParallel`, DeepSpeed sequence parallelism, and FSDP that is not in force."""
    name, accelerator = type(trainer).__name__, trainer.accelerator
    if trainer.args.n_gpu > 1:
        raise ValueError(
            f"{name} does not support `nn.DataParallel`, which the Trainer falls back to when one process sees "
            "several GPUs. Start it with `accelerate launch` or `torchrun`, or set `CUDA_VISIBLE_DEVICES` to one GPU."
        )
    parallelism = getattr(accelerator, "parallelism_config", None)
    if parallelism is not None and parallelism.sp_enabled and parallelism.sp_backend == "deepspeed":
        raise ValueError(
            f"{name} does not support DeepSpeed sequence parallelism: the loss is then the model's own, without the "
            "number loss. Use data parallelism, ZeRO or FSDP2 instead (`sp_size: 1`)."
        )
    # Without a GPU, accelerate takes the processes for another kind, and wraps the model in DDP without a word.
    wants_fsdp = bool(trainer.args.fsdp) or os.environ.get("ACCELERATE_USE_FSDP") == "true"
    actual = accelerator.distributed_type
    if wants_fsdp and accelerator.num_processes > 1 and actual != DistributedType.FSDP:
        raise ValueError(
            f"FSDP was asked for, but accelerate runs {actual.value}, with the whole model in every process: it needs "
            "a GPU for each. Use another configuration (`ddp`, or DeepSpeed's `zero3`)."
        )


def check_same_everywhere(config: NTLConfig, checkpoint: str | None) -> None:
    """Raise `ValueError`, in all processes, if they are about to train with different settings.

    Args:
        config: the settings of this process.
        checkpoint: the folder that it resumes from, or None.
    """
    mine = {**asdict(config), "resume_from_checkpoint": checkpoint}
    first, *others = gather_object([mine])
    for process, other in enumerate(others, start=1):
        differing = [f"{name}: {first[name]!r} and {other[name]!r}" for name in first if first[name] != other[name]]
        if differing:
            raise ValueError(f"Processes 0 and {process} have different settings ({'; '.join(differing)}).")


def check_smoothing(trainer: Any) -> None:
    """Raise `ValueError` where Gaussian label smoothing meets another option that replaces the cross entropy."""
    if trainer.ntl_config.gaussian_sigma == 0:
        return
    others = {
        "`label_smoothing_factor`": trainer.args.label_smoothing_factor > 0,
        "`compute_loss_func`": trainer.compute_loss_func is not None,
        "`loss_type: dft`": getattr(trainer.args, "loss_type", None) == "dft",
    }
    for name, is_set in others.items():
        if is_set:
            raise ValueError(f"`ntl_gaussian_sigma` smooths the labels of plain cross entropy; remove it or {name}.")


def check_loss_func(trainer: Any) -> None:
    """Raise `ValueError` for a `compute_loss_func` that adds the number loss, as these trainers do themselves."""
    adders = (trainer.compute_loss_func, *trainer.callback_handler.callbacks)
    if any(getattr(each, "adds_number_loss", False) for each in adders):
        raise ValueError(
            f"{type(trainer).__name__} adds the number loss itself: remove `compute_loss_func=ntl_loss_func(...)`, "
            "its callback and `NTLLossCallback`, and give the settings as `ntl_config`."
        )


def check_vocab(model: Any, vocab: NumberVocab) -> int:
    """Return the number of logits of `model`; raise `ValueError` if a number token has none."""
    vocab_size = int(model.config.get_text_config().vocab_size)
    vocab.check_fits(vocab_size)
    return vocab_size


def check_has_labels(batch: Any) -> None:
    """Raise `ValueError` for a batch without labels."""
    if batch.get("labels") is None:
        raise ValueError(NO_LABELS)


def check_labels(labels: Tensor, vocab_size: int) -> None:
    """Raise `ValueError` if a label is neither -100 nor a token id below `vocab_size`. Reads values back."""
    outside = ((labels < 0) | (labels >= vocab_size)) & (labels != IGNORE_INDEX)
    if bool(outside.any()):
        raise ValueError(
            f"The labels contain {int(labels[outside][0])}, which is outside the model's vocabulary of {vocab_size} "
            f"tokens. Use {IGNORE_INDEX} where there is no label, and check that the data was tokenized with this "
            "model's tokenizer."
        )


def check_placed_digits(config: NTLConfig, tokenizer: Any) -> None:
    """Raise `ValueError` for targets by distance alone, where the same digit at another place is as good."""
    is_by_distance = config.weight > 0 and any(term.name == "dist2" for term in config.terms)
    if is_by_distance and tokenizer is not None and has_number_tokens(tokenizer):
        raise ValueError(
            "`ntl_loss: dist2` shares the target out by distance, and to it the digits of a Regression Transformer "
            "are the same at every place. Take another loss, such as 'was' or 'crps'."
        )


def check_columns(dataset: Any, text_field: str) -> None:
    """Raise `ValueError` if a data set has none of the sets of columns that `SFTTrainer` takes."""
    columns = column_names(dataset) if hasattr(dataset, "column_names") else None
    accepted = (("prompt", "completion"), ("messages",), ("conversations",), (text_field,), ("input_ids",))
    if columns is None or any(set(names) <= set(columns) for names in accepted):
        return
    wanted = ", or ".join(" and ".join(f"'{name}'" for name in names) for names in accepted)
    raise ValueError(f"The data set has the columns {columns}; needed are {wanted}. {RENAME}")


def check_train_dataset(
    dataset: Any, collate: Any, vocab: NumberVocab, vocab_size: int, need_numbers: bool = True
) -> None:
    """Check the labels of a training set, and that it has numbers at all.

    A `datasets.Dataset` with a column `labels` is read whole; of another set with a length, up to 1,000 examples are
    collated until a number is found; a stream is left to the first batch.

    Args:
        dataset: the examples as the collator takes them, columns that the model does not know removed.
        collate: the data collator.
        vocab: the number tokens.
        vocab_size: number of logits.
        need_numbers: False where the number loss has no weight.

    Raises:
        ValueError: no rows, labels outside the vocabulary, no number token in any label, or batches without labels.
    """
    if has_random_access(dataset) and not len(dataset):
        raise ValueError("The training set has no rows.")
    seen_all = _has_label_column(dataset)
    found = not need_numbers
    for batch in _labelled(dataset, collate):
        check_has_labels(batch)
        labels = batch["labels"]
        check_labels(labels, vocab_size)
        found = found or bool((vocab.columns(labels) >= 0).any())
        if found and not seen_all:
            return  # collating more would take long, and show little
    if found or not has_random_access(dataset):
        return
    message = (
        "no label of the training set is a number token, so the number loss has nothing to act on. Look at "
        "`ntl-hf inspect TOKENIZER`, and at which tokens carry labels (completion-only loss masks the prompt); to "
        "train on cross entropy alone set `ntl_weight` to 0."
    )
    if not seen_all and len(dataset) > _SAMPLE:
        warnings.warn(f"In the first {_SAMPLE} examples, {message}")
        return
    raise ValueError(message[0].upper() + message[1:])


def has_numbers(dataset: Any, collate: Any, vocab: NumberVocab) -> bool | None:
    """Whether a label of a set is a number token; None of a stream, and of a large set that shows none at first.

    Args:
        dataset, collate, vocab: as of `check_train_dataset`.
    """
    for batch in _labelled(dataset, collate):
        if batch.get("labels") is None:
            return None
        if bool((vocab.columns(batch["labels"]) >= 0).any()):
            return True
    return False if _has_label_column(dataset) or (has_random_access(dataset) and len(dataset) <= _SAMPLE) else None


def _labelled(dataset: Any, collate: Any) -> Iterator[Any]:
    """Batches with all the labels of a stored set, or those of the first examples; none of a stream."""
    if not _has_label_column(dataset):
        return collated(dataset, collate)
    return ({"labels": each["labels"].long()} for each in stored_columns(dataset, ["labels"]))


def _has_label_column(dataset: Any) -> bool:
    # A transform may change the labels on the fly; the stored column then says nothing.
    return isinstance(dataset, Dataset) and "labels" in dataset.column_names and dataset.format["type"] != "custom"


def has_random_access(dataset: Any) -> bool:
    """Whether a set is no stream: its rows can be read twice."""
    # torch's streams inherit a `__getitem__` that raises.
    is_stream = isinstance(dataset, torch.utils.data.IterableDataset)
    return not is_stream and hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")


def stored_columns(dataset: Dataset, names: list[str]) -> Iterator[dict[str, Tensor]]:
    """Columns as they are stored, 1,000 rows at a time, since a column of a large set does not fit into memory.

    A column of lists is `[1, N]` with all that they hold, one of single values `[N]`.
    """
    for chunk in dataset.select_columns(names).with_format("arrow").iter(batch_size=_SAMPLE):
        yield {name: _tensor(chunk[name].combine_chunks()) for name in names}


def _tensor(column: Any) -> Tensor:
    is_list = hasattr(column, "flatten")
    flat = column.flatten() if is_list else column
    values = torch.from_numpy(flat.to_numpy(zero_copy_only=False).copy())
    return values.unsqueeze(0) if is_list else values


def first_labels(dataset: Any, collate: Any) -> Iterator[Tensor]:
    """Labels of the first examples of a set, as the collator makes them, `[B, T]`; none of a stream.

    Args:
        dataset, collate: as of `check_train_dataset`.
    """
    for batch in collated(dataset, collate):
        check_has_labels(batch)
        yield batch["labels"]


def collated(dataset: Any, collate: Any) -> Iterator[Any]:
    """Batches of the first 1,000 examples of a set; none of a stream."""
    if not has_random_access(dataset):
        return
    # A collator may draw random numbers; those of the training that follows must not move.
    with torch.random.fork_rng(devices=[]):
        for start in range(0, min(_SAMPLE, len(dataset)), 50):
            yield collate([dataset[i] for i in range(start, min(start + 50, _SAMPLE, len(dataset)))])
