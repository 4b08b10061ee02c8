"""Answers of models with a number head: xVal writes text around its numbers, a regression head only knows one."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from datasets import Dataset
from tqdm.auto import tqdm

from ...decoding import NumberPrediction
from ...decoding.generate import generation_config, pad_prompts
from ...systems.regression_head import RegressionEncoder, predict
from ...systems.xval.generate import generate_with_numbers
from ...systems.xval.text import XValEncoder, write_number, write_numbers
from ..data import DataArguments
from ..evaluation_arguments import EvaluationArguments

# Of a model that has diverged.
_UNREADABLE = "nan"


class _NumberHeadAnswering:
    """What is said of numbers that are not written in digits: there are no tokens to decode from or to score."""

    def __init__(self, args: EvaluationArguments) -> None:
        for name, unset in (("number_decoding", "none"), ("lm_eval_tasks", None)):
            if getattr(args, name) not in (unset, []):
                raise ValueError(
                    f"`{name}` is for models that write numbers in tokens, and this one has a number head."
                )
        self.answer_mark: str | None = None
        self._args = args

    def decoded(self) -> list[NumberPrediction]:
        return []

    def sums(self) -> None:
        return None


class RegressionHeadAnswering(_NumberHeadAnswering):
    """A regression head; see `Answering`."""

    def __init__(self, model: Any, tokenizer: Any, rows: Dataset, args: EvaluationArguments) -> None:
        super().__init__(args)
        self._model, self._tokenizer = model, tokenizer
        encoder = RegressionEncoder(tokenizer, model.config.is_encoder_decoder, args.max_length)
        self._prompts = encoder.encode_prompts(rows["prompt"][:])

    def texts(self) -> list[str]:
        numbers = predict(self._model, self._tokenizer, self._prompts, self._args.per_device_eval_batch_size)
        return [write_number(number) if math.isfinite(number) else _UNREADABLE for number in numbers]


class XValAnswering(_NumberHeadAnswering):
    """An xVal model; see `Answering`."""

    def __init__(
        self, model: Any, tokenizer: Any, rows: Dataset, data_args: DataArguments, args: EvaluationArguments
    ) -> None:
        super().__init__(args)
        if args.num_beams > 1:
            raise ValueError("`num_beams` must be 1 for xVal: its numbers are no tokens that beams could be made of.")
        self.answer_mark = data_args.answer_mark
        self._model, self._tokenizer = model, tokenizer
        encoder = XValEncoder(tokenizer, model.config.is_encoder_decoder, args.max_length)
        self._prompts = encoder.encode_prompts_with_values(rows["prompt"][:])
        self._config = generation_config(model, tokenizer, **args.generation_settings())

    def texts(self) -> list[str]:
        texts = [""] * len(self._prompts)
        for rows, batch in self._batches():
            ids, numbers = generate_with_numbers(self._model, **batch, generation_config=self._config)
            for row, row_ids, row_numbers in zip(rows, ids.tolist(), numbers.tolist(), strict=True):
                pairs = zip(row_ids, row_numbers, strict=True)
                values = [number for token_id, number in pairs if token_id == self._model.config.num_token_id]
                is_finite = all(map(math.isfinite, values))
                texts[row] = write_numbers(self._tokenizer, row_ids, values) if is_finite else _UNREADABLE
        return texts

    def _batches(self) -> Iterator[tuple[list[int], dict[str, torch.Tensor]]]:
        """Prompts of similar length, the longest first: which rows, and the model's inputs."""
        order = sorted(range(len(self._prompts)), key=lambda i: -len(self._prompts[i]["input_ids"]))
        size, device = self._args.per_device_eval_batch_size, self._model.device
        for start in tqdm(range(0, len(order), size), desc="Generating", unit="batch"):
            rows = order[start : start + size]
            prompts = [self._prompts[row] for row in rows]
            batch = pad_prompts(self._model, self._tokenizer, [prompt["input_ids"] for prompt in prompts])
            values = torch.ones(batch["input_ids"].shape)
            for i, prompt in enumerate(prompts):
                # Where the text is, on whichever side the padding may be.
                values[i, batch["attention_mask"][i].bool()] = torch.tensor(prompt["number_values"])
            yield rows, {name: value.to(device) for name, value in {**batch, "number_values": values}.items()}
