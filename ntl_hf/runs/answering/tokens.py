"""Answers in tokens, digits among them."""

from pathlib import Path
from typing import Any

from datasets import Dataset

from ...data import TextEncoder
from ...decoding import NumberPrediction
from ...decoding.generate import generate_answers, generation_config
from ...evaluation.teacher_forced import TokenSums, teacher_forced_sums
from ...settings.config import FILE_NAME, NTLConfig
from ...systems.regression_transformer.places import PlacedDigitEncoder
from ...tokens.number_vocab import NumberVocab
from ...tokens.placed_digits import has_number_tokens
from ..data import DataArguments
from ..evaluation_arguments import EvaluationArguments
from ..number_decoding import decode_numbers, make_decoder, warn_of_other_formats


class TokenAnswering:
    """A language model that writes its answers; see `Answering`.

    Raises:
        NoNumberTokensError: the tokenizer has no number tokens.
        ValueError: rows that cannot be encoded, or settings of generation that contradict each other.
    """

    def __init__(
        self, model: Any, tokenizer: Any, rows: Dataset, data_args: DataArguments, args: EvaluationArguments
    ) -> None:
        encoder_class = PlacedDigitEncoder if has_number_tokens(tokenizer) else TextEncoder
        encoder = encoder_class(tokenizer, model.config.is_encoder_decoder, args.max_length)
        self.answer_mark = data_args.answer_mark
        self._model, self._tokenizer, self._args = model, tokenizer, args
        self._vocab = NumberVocab.from_tokenizer(tokenizer, _digits_only(args))
        self._prompts, self._encoded = encoder.encode_prompts(rows["prompt"][:]), encoder.encode(rows)
        self._config = generation_config(model, tokenizer, **args.generation_settings())
        self._decoder = make_decoder(model, tokenizer, data_args, args)
        warn_of_other_formats(rows, self._decoder)

    def texts(self) -> list[str]:
        batch_size = self._args.per_device_eval_batch_size
        return generate_answers(self._model, self._tokenizer, self._prompts, batch_size, self._config)

    def decoded(self) -> list[NumberPrediction]:
        return decode_numbers(self._decoder, self._prompts, self._args)

    def sums(self) -> TokenSums | None:
        batch_size = self._args.per_device_eval_batch_size
        return teacher_forced_sums(self._model, self._tokenizer, self._encoded, self._vocab, batch_size)


def _digits_only(args: EvaluationArguments) -> bool:
    if args.ntl_digits_only is not None:
        return args.ntl_digits_only
    folder = Path(str(args.model_name_or_path))
    return NTLConfig.load(folder).digits_only if (folder / FILE_NAME).exists() else NTLConfig.digits_only
