"""`predict_numbers`: the numbers that a model predicts for prompts, with the least expected error under the model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..data import TextEncoder
from ..settings.checks import check_choice
from .distribution import NumberDistribution, NumberPrediction, check_risk
from .exact import candidate_log_probs
from .formats import encode_formats
from .generate import beam_texts, generation_config, sample_texts

CANDIDATES = ("samples", "beams", "exact")


def predict_numbers(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str] | Sequence[Sequence[int]],
    risk: str = "absolute",
    snap: bool = False,
    **settings: Any,
) -> list[NumberPrediction]:
    """Predict a number for each prompt: the one with the least expected error under the model's own distribution.

    Minimum Bayes risk decoding for numbers (RAIL: Lukasik et al. 2024, "Regression-aware Inference with LLMs"), for
    any model, however it was trained: the median for the absolute error, the mean for the squared one.

    Args:
        model: a decoder or an encoder-decoder, in either mode.
        tokenizer: its tokenizer.
        prompts: texts, or token ids as `TextEncoder.encode_prompts` makes them.
        risk: see `NumberDistribution.predict`.
        snap: see `NumberDistribution.predict`.
        settings: what the distribution is made from, see `NumberDecoder`.

    Returns:
        One prediction a prompt, in their order, with the distribution that it was chosen from.

    Raises:
        ValueError: a setting or a prompt that cannot be used; before anything is generated.
    """
    check_risk(risk)
    distributions = NumberDecoder(model, tokenizer, **settings).distributions(prompts)
    return [distribution.predict(risk, snap) for distribution in distributions]


@dataclass(eq=False, repr=False)
class NumberDecoder:
    """Asks a model for its distribution of numbers.

    Args:
        model: see `predict_numbers`.
        tokenizer: see `predict_numbers`.
        candidates: "samples": answers drawn from the model at temperature 1, with equal weights; how they fall depends
            on the batches. "beams": those that a beam search ends with, weighted with the model's probabilities of
            the whole texts, without length penalty, as shares of their sum; the likeliest answers alone, so that the
            spread comes out too small. "exact": the answers in `formats`, with the model's probabilities.
        num_candidates: how many samples or beams a prompt; "exact" takes all of `formats`.
        formats: for "exact", all answers that can be given, see `number_range`. What the model would say besides
            counts as unreadable.
        max_new_tokens: longest answer of samples and beams; a longer one is cut, and read as it is.
        batch_size: how many sequences are run at a time: samples, beams (at least those of one prompt) or candidates.
        answer_mark: what the final answer stands after, see `final_answer`; None where the answer is all there is.
        seed: of the samples.

    Raises:
        ValueError: a setting that cannot be used.
    """

    model: Any
    tokenizer: Any
    candidates: str = "samples"
    num_candidates: int = 32
    formats: Sequence[str] | None = None
    max_new_tokens: int = 32
    batch_size: int = 16
    answer_mark: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("candidates", self.candidates, CANDIDATES)
        for name in ("num_candidates", "max_new_tokens", "batch_size"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:  # also 2.5
                raise ValueError(f"`{name}` must be 1 or more, not {getattr(self, name)}.")
        if (self.candidates == "exact") != (self.formats is not None):
            raise ValueError("`formats` are what candidates='exact' chooses from: give both, or neither.")
        is_seq2seq = bool(self.model.config.is_encoder_decoder)
        self._encoder = TextEncoder(self.tokenizer, is_seq2seq)
        if self.formats is not None:
            self._format_ids = encode_formats(self.formats, self.tokenizer, is_seq2seq, self.answer_mark)

    def distributions(self, prompts: Sequence[str] | Sequence[Sequence[int]]) -> list[NumberDistribution]:
        """One a prompt, in their order.

        The model is in evaluation mode meanwhile: with dropout, no probability would be exact.

        Raises:
            ValueError: a prompt without any token, or one that is no list.
        """
        ids = self._ids(prompts)
        was_training = self.model.training
        self.model.eval()
        try:
            answers = self._answers(ids)
        finally:
            self.model.train(was_training)
        log_total = 0.0 if self.candidates == "exact" else None
        return [NumberDistribution.from_texts(texts, logs, self.answer_mark, log_total) for texts, logs in answers]

    def _answers(self, ids: list[list[int]]) -> Iterable[tuple[Sequence[str], Sequence[float] | None]]:
        """Texts and the logarithms of their weights, None for equal ones, a prompt."""
        sizes = (self.max_new_tokens, self.batch_size)
        if self.formats is not None:
            ends = generation_config(self.model, self.tokenizer).eos_token_id
            logs = candidate_log_probs(self.model, self.tokenizer, ids, self._format_ids, ends, self.batch_size)
            return [(self.formats, row) for row in logs.tolist()]
        if self.candidates == "samples":
            samples = sample_texts(self.model, self.tokenizer, ids, self.num_candidates, *sizes, self.seed)
            return [(texts, None) for texts in samples]
        beams = beam_texts(self.model, self.tokenizer, ids, self.num_candidates, *sizes)
        return [([text for text, _ in each], [log for _, log in each]) for each in beams]

    def _ids(self, prompts: Sequence[str] | Sequence[Sequence[int]]) -> list[list[int]]:
        if isinstance(prompts, str) or any(isinstance(prompt, int) for prompt in prompts):
            raise ValueError("`prompts` is a single one: put it into a list.")
        texts = [prompt for prompt in prompts if isinstance(prompt, str)]
        if texts and len(texts) < len(prompts):
            raise ValueError("The prompts are texts and token ids mixed: give either.")
        ids = self._encoder.encode_prompts(texts) if texts else [[int(i) for i in prompt] for prompt in prompts]
        for row, prompt in enumerate(ids):
            if not prompt:
                raise ValueError(f"Prompt {row} has no tokens: there is nothing to go on from.")
        return ids
