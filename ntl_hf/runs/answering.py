"""How a trained model answers the rows of an evaluation: in tokens, or with a number head."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset

from ..data import TextEncoder
from ..decoding import NumberDecoder, NumberPrediction, number_range
from ..decoding.batches import longest_first
from ..decoding.generate import generate_answers, generation_config, pad_prompts
from ..evaluation.teacher_forced import TokenSums, teacher_forced_sums
from ..settings.config import FILE_NAME, NTLConfig
from ..systems.registration import check_token_model
from ..systems.regression_head import RegressionEncoder, predict
from ..systems.regression_transformer.places import PlacedDigitEncoder
from ..systems.xval.generate import generate_with_numbers
from ..systems.xval.text import XValEncoder, write_number, write_numbers
from ..tokens.number_vocab import NumberVocab
from ..tokens.placed_digits import has_number_tokens
from .data import DataArguments
from .evaluation_arguments import RISK_OF, EvaluationArguments
from .model import system_name

# Of a model that has diverged.
_UNREADABLE = "nan"


@dataclass(frozen=True)
class Answering:
    """A model and the rows that it is asked; made before anything is computed, so that rows can be refused.

    Attributes:
        texts: makes one answer a row.
        answer_mark: what the final answer stands after in the texts; None where they are the answer.
        decoded: makes what number-aware decoding predicts, one a row; none where it was not asked for.
        sums: makes what the model thinks of the true answers; None where these are no tokens to it.
    """

    texts: Callable[[], list[str]]
    answer_mark: str | None = None
    decoded: Callable[[], list[NumberPrediction]] = list
    sums: Callable[[], TokenSums | None] = lambda: None


def answering_for(
    model: Any, tokenizer: Any, rows: Dataset, data_args: DataArguments, args: EvaluationArguments
) -> Answering:
    """How a model answers.

    Raises:
        NoNumberTokensError: the tokenizer of a model that answers in tokens has no number tokens.
        ValueError: rows that cannot be encoded, or settings that the model cannot be asked with.
    """
    system = system_name(model.config)
    if system in ("standard", "rt"):
        return _in_tokens(model, tokenizer, rows, data_args, args)
    for name, unset in (("number_decoding", "none"), ("lm_eval_tasks", None)):
        if getattr(args, name) not in (unset, []):
            raise ValueError(f"`{name}` is for models that write numbers in tokens, and this one has a number head.")
    if system == "xval":
        return _of_xval(model, tokenizer, rows, data_args, args)
    return _of_regression_head(model, tokenizer, rows, args)


def _in_tokens(
    model: Any, tokenizer: Any, rows: Dataset, data_args: DataArguments, args: EvaluationArguments
) -> Answering:
    check_token_model(model.config, tokenizer)
    encoder_class = PlacedDigitEncoder if has_number_tokens(tokenizer) else TextEncoder
    encoder = encoder_class(tokenizer, model.config.is_encoder_decoder, args.max_length)
    vocab = NumberVocab.from_tokenizer(tokenizer, _digits_only(args))
    prompts, encoded = encoder.encode_prompts(rows["prompt"][:]), encoder.encode(rows)
    config = generation_config(model, tokenizer, **args.generation_settings())
    risk = RISK_OF[args.number_decoding]
    decoder = None if risk is None else _make_decoder(model, tokenizer, rows, data_args, args)
    size = args.per_device_eval_batch_size
    return Answering(
        texts=lambda: generate_answers(model, tokenizer, prompts, size, config),
        answer_mark=data_args.answer_mark,
        decoded=lambda: (
            [each.predict(risk, args.number_decoding_snap) for each in decoder.distributions(prompts)]
            if decoder and risk
            else []
        ),
        sums=lambda: teacher_forced_sums(model, tokenizer, encoded, vocab, size),
    )


def _make_decoder(
    model: Any, tokenizer: Any, rows: Dataset, data_args: DataArguments, args: EvaluationArguments
) -> NumberDecoder:
    """The decoder that the arguments ask for; `ValueError` for settings that it refuses."""
    formats = None if args.number_decoding_format is None else number_range(args.number_decoding_format)
    decoder = NumberDecoder(
        model,
        tokenizer,
        candidates=args.number_decoding_candidates,
        num_candidates=args.number_decoding_num,
        formats=formats,
        max_new_tokens=args.max_new_tokens,
        batch_size=args.per_device_eval_batch_size,
        answer_mark=data_args.answer_mark,
        seed=args.seed,
    )
    # A missing leading space is easily overlooked, and leaves the model next to no probability for its answers.
    known = frozenset(formats or ())
    others = [text for text in rows["completion"][:] if known and text not in known]
    if formats and others:
        warnings.warn(
            f"{len(others)} of {len(rows)} completions are none of the answers of `number_decoding_format`, such as "
            f"{others[0]!r} beside {formats[0]!r}: is it the range, written as the completions are?"
        )
    return decoder


def _digits_only(args: EvaluationArguments) -> bool:
    if args.ntl_digits_only is not None:
        return args.ntl_digits_only
    folder = Path(str(args.model_name_or_path))
    return NTLConfig.load(folder).digits_only if (folder / FILE_NAME).exists() else NTLConfig.digits_only


def _of_regression_head(model: Any, tokenizer: Any, rows: Dataset, args: EvaluationArguments) -> Answering:
    """It writes no text, and only knows one number."""
    encoder = RegressionEncoder(tokenizer, model.config.is_encoder_decoder, args.max_length)
    prompts = encoder.encode_prompts(rows["prompt"][:])

    def texts() -> list[str]:
        numbers = predict(model, tokenizer, prompts, args.per_device_eval_batch_size)
        return [write_number(number) if math.isfinite(number) else _UNREADABLE for number in numbers]

    return Answering(texts)


def _of_xval(
    model: Any, tokenizer: Any, rows: Dataset, data_args: DataArguments, args: EvaluationArguments
) -> Answering:
    """It writes text around its numbers."""
    if args.num_beams > 1:
        raise ValueError("`num_beams` must be 1 for xVal: its numbers are no tokens that beams could be made of.")
    encoder = XValEncoder(tokenizer, model.config.is_encoder_decoder, args.max_length)
    prompts = encoder.encode_prompts_with_values(rows["prompt"][:])
    config = generation_config(model, tokenizer, **args.generation_settings())

    def texts() -> list[str]:
        texts = [""] * len(prompts)
        lengths = [len(prompt["input_ids"]) for prompt in prompts]
        for indices in longest_first(lengths, args.per_device_eval_batch_size, "Generating"):
            inputs = _xval_inputs(model, tokenizer, [prompts[i] for i in indices])
            ids, numbers = generate_with_numbers(model, **inputs, generation_config=config)
            for i, row_ids, row_numbers in zip(indices, ids.tolist(), numbers.tolist(), strict=True):
                pairs = zip(row_ids, row_numbers, strict=True)
                values = [number for token_id, number in pairs if token_id == model.config.num_token_id]
                is_finite = all(map(math.isfinite, values))
                texts[i] = write_numbers(tokenizer, row_ids, values) if is_finite else _UNREADABLE
        return texts

    return Answering(texts, data_args.answer_mark)


def _xval_inputs(model: Any, tokenizer: Any, prompts: list[Any]) -> dict[str, torch.Tensor]:
    batch = pad_prompts(model, tokenizer, [prompt["input_ids"] for prompt in prompts])
    values = torch.ones(batch["input_ids"].shape)
    # Where the text is, on whichever side the padding may be.
    values[batch["attention_mask"].bool()] = torch.tensor([v for prompt in prompts for v in prompt["number_values"]])
    return {name: value.to(model.device) for name, value in {**batch, "number_values": values}.items()}
