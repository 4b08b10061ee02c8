"""Text to token ids and labels, for the trainers of `transformers`; TRL's trainer does this itself."""

import warnings
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from datasets import Dataset, IterableDataset
from transformers import DataCollatorForSeq2Seq

from .sets import check_has_rows, column_names
from .text_columns import as_texts

PAIR, TEXT = ("prompt", "completion"), ("text",)
RENAME = "Rename them, or map them with `columns` in a recipe."
_IGNORE = -100
# What the rows carry until they are counted.
_IS_CUT, _HAS_LABELS = "is_cut", "has_labels"


def right_padding_collator(tokenizer: Any) -> DataCollatorForSeq2Seq:
    """A collator for the rows of `TextEncoder`, whatever side the tokenizer pads on.

    Tokenizers of decoders often pad on the left, which is for generation: labels of an encoder-decoder would begin
    with padding, and positions that are counted from the start would be others.
    """
    tokenizer = copy(tokenizer)
    tokenizer.padding_side = "right"
    return DataCollatorForSeq2Seq(tokenizer)


def check_text_columns(dataset: Dataset | IterableDataset, is_encoder_decoder: bool) -> tuple[str, ...]:
    """The columns to read: `prompt` and `completion`, or for decoders `text`.

    Raises:
        ValueError: there are no such columns, or they hold neither strings nor whole numbers (see `as_texts`).
    """
    found = _text_columns(column_names(dataset), is_encoder_decoder)
    as_texts(dataset, found)
    return found


def _text_columns(there: list[str], is_encoder_decoder: bool) -> tuple[str, ...]:
    accepted = (PAIR,) if is_encoder_decoder else (PAIR, TEXT)
    found = next((names for names in accepted if set(names) <= set(there)), None)
    if found is None:
        wanted = ", or ".join(" and ".join(f"'{name}'" for name in names) for names in accepted)
        raise ValueError(f"The data set has the columns {there}; needed are {wanted}. {RENAME}")
    return found


@dataclass
class TextEncoder:
    """Makes `input_ids` and `labels` of text.

    A decoder reads prompt, completion and end of text, and is trained on the last two; of plain `text`, on all of it.
    An encoder-decoder reads the prompt and is trained on the completion and the end of text. Prompt and completion
    are tokenized apart, so that the labels are exactly the completion's tokens. Where the tokenizer puts special
    tokens of its own around a text, they are kept; the end is marked once, whether or not the tokenizer does it.

    Args:
        tokenizer: without a padding token, its end of text becomes that too; no token is added.
        is_encoder_decoder: which kind of model the rows are for.
        max_length: where rows are cut, in tokens: a decoder's as a whole, an encoder-decoder's prompt and completion
            each. A cut completion has no end of text, so that nobody learns to stop there.

    Raises:
        ValueError: the tokenizer has no end of text, or `max_length` leaves no room for text.
    """

    tokenizer: Any
    is_encoder_decoder: bool
    max_length: int | None = None

    def __post_init__(self) -> None:
        if self.tokenizer.eos_token is None:
            raise ValueError("The tokenizer has no `eos_token`, so that the model could not learn where to stop.")
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        special = sum(map(len, self._around_prompt))
        if self.max_length is not None and self.max_length <= special:
            raise ValueError(f"`max_length` is {self.max_length}; it must be above {special}, to leave room for text.")

    def encode(self, dataset: Any) -> Any:
        """Tokenize a data set; rows without any label left are dropped, with a warning that says how many.

        Args:
            dataset: a `datasets.Dataset`, or an `IterableDataset`, whose rows are tokenized as they are read: what is
                wrong with one is said then, and the warning comes with the first row that is dropped.

        Returns:
            A data set of the same kind, with no other columns than `input_ids` and `labels`.

        Raises:
            TypeError: it is no data set.
            ValueError: there are no rows, the columns are not those needed, a row has neither a text nor a whole
                number in one (see `as_texts`), or `max_length` leaves no labels.
        """
        there = column_names(dataset)
        check_has_rows(dataset)
        columns = _text_columns(there, self.is_encoder_decoder)
        dataset = as_texts(dataset, columns)
        arguments: dict[str, Any] = {"batched": True, "input_columns": list(columns), "remove_columns": there}
        if isinstance(dataset, IterableDataset):
            encoded = dataset.map(self._encode_batch, **arguments)
            kept = encoded.filter(self._keeps, input_columns=[_IS_CUT, _HAS_LABELS])
            return kept.remove_columns([_IS_CUT, _HAS_LABELS])
        return self._without_lost_rows(dataset.map(self._encode_batch, desc="Tokenizing", **arguments))

    def encode_prompts(self, prompts: list[str]) -> list[list[int]]:
        """Token ids of prompts to be answered: as `encode` makes them before a completion, and never cut."""
        before, after = self._around_prompt
        return [[*before, *ids, *(after if self.is_encoder_decoder else ())] for ids in self._tokens(prompts)]

    def _keeps(self, is_cut: bool, has_labels: bool) -> bool:
        if is_cut:
            # Python shows the same warning once; how many there are, a stream cannot know.
            warnings.warn(
                f"Rows are longer than `max_length` {self.max_length} and are cut; those of which no completion "
                "remains are left out."
            )
        return has_labels

    def _encode_batch(self, *columns: list[str]) -> dict[str, list[Any]]:
        if any(text is None for column in columns for text in column):
            raise ValueError("A row of the data set has no text (null) where text is needed; remove it or fill it in.")
        # Plain text is a completion of nothing.
        prompts, completions = columns if len(columns) == 2 else ([""] * len(columns[0]), columns[0])
        encode_row = self._encoder_decoder_row if self.is_encoder_decoder else self._decoder_row
        sources, targets = self._tokens(prompts), self._targets(completions)
        rows = [encode_row(source, target) for source, target in zip(sources, targets, strict=True)]
        return {name: [row[name] for row in rows] for name in ("input_ids", "labels", _IS_CUT, _HAS_LABELS)}

    def _decoder_row(self, prompt: list[int], completion: list[int]) -> dict[str, Any]:
        # What the tokenizer would put after a text is left out: the text goes on.
        source = [*self._around_prompt[0], *prompt]
        whole = source + completion
        ids = whole[: self.max_length]
        labels = ([_IGNORE] * len(source) + completion)[: self.max_length]
        return {
            "input_ids": ids,
            "labels": labels,
            _IS_CUT: len(ids) < len(whole),
            _HAS_LABELS: len(ids) > len(source),
        }

    def _encoder_decoder_row(self, prompt: list[int], completion: list[int]) -> dict[str, Any]:
        before, after = self._around_prompt
        room = None if self.max_length is None else self.max_length - len(before) - len(after)
        source, labels = prompt[:room], completion[: self.max_length]
        return {
            "input_ids": [*before, *source, *after],
            "labels": labels,
            _IS_CUT: len(source) < len(prompt) or len(labels) < len(completion),
            _HAS_LABELS: True,
        }

    def _targets(self, completions: list[str]) -> list[list[int]]:
        """The completions' tokens with one end of text; an encoder-decoder's with the special tokens of a target."""
        if self.is_encoder_decoder:
            targets = self.tokenizer(text_target=completions, verbose=False)["input_ids"]
        else:
            targets = self._tokens(completions)
        eos = self.tokenizer.eos_token_id
        return [ids if ids[-1:] == [eos] else [*ids, eos] for ids in targets]

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]

    @cached_property
    def _around_prompt(self) -> tuple[list[int], list[int]]:
        """The special tokens that the tokenizer puts before and after a text."""
        probe = "1"
        alone, whole = self._tokens([probe])[0], self.tokenizer(probe)["input_ids"]
        start = next(i for i in range(len(whole) + 1) if whole[i : i + len(alone)] == alone)
        return whole[:start], whole[start + len(alone) :]

    def _without_lost_rows(self, encoded: Dataset) -> Dataset:
        flags = encoded.with_format("numpy")
        is_cut, has_labels = flags[_IS_CUT][:], flags[_HAS_LABELS][:]
        lost = len(encoded) - int(has_labels.sum())
        if lost == len(encoded):
            raise ValueError(
                f"Every prompt is {self.max_length} tokens (`max_length`) or longer: no completion is left."
            )
        if is_cut.any():
            warnings.warn(
                f"{int(is_cut.sum())} of {len(encoded)} rows are longer than `max_length` {self.max_length} and are "
                f"cut; {lost} of them are left out, because nothing of their completion remains."
            )
        kept = encoded.select(np.flatnonzero(has_labels)) if lost else encoded
        return kept.remove_columns([_IS_CUT, _HAS_LABELS])
