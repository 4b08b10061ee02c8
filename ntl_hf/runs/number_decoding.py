"""Number-aware decoding in an evaluation: the decoder that its arguments ask for, and what it predicts."""

import warnings
from typing import Any

from datasets import Dataset

from ..decoding import NumberDecoder, NumberPrediction, number_range
from .data import DataArguments
from .evaluation_arguments import RISK_OF, EvaluationArguments


def make_decoder(
    model: Any, tokenizer: Any, data_args: DataArguments, args: EvaluationArguments
) -> NumberDecoder | None:
    """The decoder that the arguments ask for, if any; `ValueError` for settings that it refuses."""
    if args.number_decoding == "none":
        return None
    formats = args.number_decoding_format
    return NumberDecoder(
        model,
        tokenizer,
        candidates=args.number_decoding_candidates,
        num_candidates=args.number_decoding_num,
        formats=None if formats is None else number_range(formats),
        max_new_tokens=args.max_new_tokens,
        batch_size=args.per_device_eval_batch_size,
        answer_mark=data_args.answer_mark,
        seed=args.seed,
    )


def warn_of_other_formats(rows: Dataset, decoder: NumberDecoder | None) -> None:
    """Warn where the completions are no answers of the format.

    A missing leading space is easily overlooked, and leaves the model next to no probability for its answers.
    """
    if decoder is None or decoder.formats is None:
        return
    known = set(decoder.formats)
    others = [text for text in rows["completion"][:] if text not in known]
    if others:
        warnings.warn(
            f"{len(others)} of {len(rows)} completions are none of the answers of `number_decoding_format`, such as "
            f"{others[0]!r} beside {decoder.formats[0]!r}: is it the range, written as the completions are?"
        )


def decode_numbers(
    decoder: NumberDecoder | None, prompts: list[list[int]], args: EvaluationArguments
) -> list[NumberPrediction]:
    """One prediction a row; none at all without a decoder."""
    risk = RISK_OF[args.number_decoding]
    if decoder is None or risk is None:
        return []
    return [each.predict(risk, args.number_decoding_snap) for each in decoder.distributions(prompts)]
