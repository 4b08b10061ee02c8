"""The arguments of an evaluation: which model is scored, and how it answers."""

from dataclasses import dataclass
from typing import Any

import torch

from ..decoding.formats import number_range
from ..decoding.predict import CANDIDATES
from ..evaluation.bootstrap import check_bootstrap
from ..settings.checks import check_fields, documented, setting

METRICS_FILE, PREDICTIONS_FILE = "metrics.json", "predictions.jsonl"
# How an estimate is called, and which expected error it has least of.
RISK_OF = {"none": None, "median": "absolute", "mean": "squared", "mode": "zero_one"}


@documented
@dataclass
class EvaluationArguments:
    """Which model is scored, and how it answers.

    Attributes:
        model_name_or_path: What to score: a checkpoint, an adapter's folder or a hub id.
        base_model_name_or_path: For an adapter: its base model. Default: the one that it was trained on.
        model_revision: Branch, tag or commit of the model.
        output_dir: Folder for metrics.json and predictions.jsonl. Default: `evaluation` in the model's folder.
        overwrite_output_dir: Replace an evaluation that `output_dir` already has.
        per_device_eval_batch_size: Rows at a time.
        max_new_tokens: Longest answer, in tokens.
        num_beams: Beams; 1 takes the most likely token each time.
        do_sample: Sample, with `temperature` and `top_p`.
        temperature: Of sampling.
        top_p: Of sampling: the probability to draw from.
        number_decoding: Besides, the number with the least expected error under the model: 'median' (absolute error),
            'mean' (squared error) or 'mode' (the likeliest number).
        number_decoding_candidates: What the model's distribution of numbers is made from: 'samples', 'beams', or
            'exact', all answers of `number_decoding_format`.
        number_decoding_num: Samples or beams a row.
        number_decoding_format: For 'exact': the answers as a range, such as 0-10, 000-999 or 0.0-9.9; with text around
            the number, a leading space too, in braces: ' {0-10}'.
        number_decoding_snap: With 'mean': the nearest number among the candidates.
        max_length: Where rows of the teacher-forced metrics are cut, in tokens, as in training.
        ntl_digits_only: Which tokens are numbers. Default: as trained (ntl_config.json), else single digits.
        resamples: Bootstrap samples of the intervals; 0: no intervals.
        confidence: Coverage of the intervals.
        dtype: 'auto' (as saved), 'float32', 'bfloat16', ...
        attn_implementation: Attention, as in training.
        use_cpu: Leave the accelerator alone.
        seed: Of sampling and of the bootstrap.
        trust_remote_code: Run the code that comes with a model.
        lm_eval_tasks: Besides, tasks of EleutherAI's lm-evaluation-harness by name, such as gsm8k, on the first
            `max_eval_samples` rows; needs ntl-hf[lm-eval]. With `task: gsm8k`, its GSM8K reads `data_path` too.
        lm_eval_num_fewshot: Worked examples in the prompts of `lm_eval_tasks`. Default: each task's own.
    """

    model_name_or_path: str | None = None
    base_model_name_or_path: str | None = None
    model_revision: str = "main"
    output_dir: str | None = None
    overwrite_output_dir: bool = False
    per_device_eval_batch_size: int = 16
    max_new_tokens: int = 256
    num_beams: int = 1
    do_sample: bool = False
    temperature: float = 1.0
    top_p: float = 1.0
    number_decoding: str = setting("none", choices=list(RISK_OF))
    number_decoding_candidates: str = setting("samples", choices=list(CANDIDATES))
    number_decoding_num: int = 32
    number_decoding_format: str | None = None
    number_decoding_snap: bool = False
    max_length: int | None = 1024
    ntl_digits_only: bool | None = None
    resamples: int = 1000
    confidence: float = 0.95
    dtype: str | None = "auto"
    attn_implementation: str | None = None
    use_cpu: bool = False
    seed: int = 0
    trust_remote_code: bool = False
    lm_eval_tasks: list[str] | None = None
    lm_eval_num_fewshot: int | None = None

    def __post_init__(self) -> None:
        self.lm_eval_tasks = [self.lm_eval_tasks] if isinstance(self.lm_eval_tasks, str) else self.lm_eval_tasks
        for name in ("per_device_eval_batch_size", "max_new_tokens", "num_beams", "number_decoding_num"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be 1 or more, not {getattr(self, name)}.")
        check_fields(self)
        check_bootstrap(self.confidence, self.resamples)
        if self.dtype not in (None, "auto") and not isinstance(getattr(torch, str(self.dtype), None), torch.dtype):
            raise ValueError(f"`dtype` is '{self.dtype}'; take 'auto', 'float32', 'bfloat16' or 'float16'.")
        if not self.do_sample and (self.temperature, self.top_p) != (1.0, 1.0):
            raise ValueError("`temperature` and `top_p` are of sampling: add --do_sample true, or remove them.")
        if not self.temperature > 0 or not 0 < self.top_p <= 1:
            raise ValueError(
                f"`temperature` must be above 0 and `top_p` above 0 and at most 1; they are {self.temperature} and "
                f"{self.top_p}."
            )
        if self.number_decoding == "none":
            if self.number_decoding_format is not None:
                raise ValueError("`number_decoding_format` is of `number_decoding`: name an estimate, or remove it.")
        elif (self.number_decoding_candidates == "exact") != (self.number_decoding_format is not None):
            raise ValueError(
                "`number_decoding_format` is what `number_decoding_candidates: exact` chooses from; give both, "
                "such as 0-10, or neither."
            )
        if self.number_decoding_format is not None:
            number_range(self.number_decoding_format)  # which refuses what is none

    def generation_settings(self) -> dict[str, Any]:
        """For `GenerationConfig`."""
        sampling = ("temperature", "top_p") if self.do_sample else ()
        return {name: getattr(self, name) for name in ("max_new_tokens", "num_beams", "do_sample", *sampling)}
