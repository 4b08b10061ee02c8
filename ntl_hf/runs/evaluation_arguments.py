"""The arguments of an evaluation: which model is scored, and how it answers."""

from dataclasses import dataclass
from typing import Any

import torch

from ..decoding.formats import number_range
from ..decoding.predict import CANDIDATES
from ..evaluation.bootstrap import check_bootstrap
from ..settings.checks import check_choice, setting
from ..settings.config import FILE_NAME

METRICS_FILE, PREDICTIONS_FILE = "metrics.json", "predictions.jsonl"
# How an estimate is called, and which expected error it has least of.
RISK_OF = {"none": None, "median": "absolute", "mean": "squared", "mode": "zero_one"}


@dataclass
class EvaluationArguments:
    """Which model is scored, and how it answers."""

    model_name_or_path: str | None = setting(None, "What to score: a checkpoint, an adapter's folder or a hub id.")
    base_model_name_or_path: str | None = setting(
        None, "For an adapter: its base model. Default: the one that it was trained on."
    )
    model_revision: str = setting("main", "Branch, tag or commit of the model.")
    output_dir: str | None = setting(
        None, f"Folder for {METRICS_FILE} and {PREDICTIONS_FILE}. Default: `evaluation` in the model's folder."
    )
    overwrite_output_dir: bool = setting(False, "Replace an evaluation that `output_dir` already has.")
    per_device_eval_batch_size: int = setting(16, "Rows at a time.")
    max_new_tokens: int = setting(256, "Longest answer, in tokens.")
    num_beams: int = setting(1, "Beams; 1 takes the most likely token each time.")
    do_sample: bool = setting(False, "Sample, with `temperature` and `top_p`.")
    temperature: float = setting(1.0, "Of sampling.")
    top_p: float = setting(1.0, "Of sampling: the probability to draw from.")
    number_decoding: str = setting(
        "none",
        "Besides, the number with the least expected error under the model: 'median' (absolute error), "
        "'mean' (squared error) or 'mode' (the likeliest number).",
        choices=list(RISK_OF),
    )
    number_decoding_candidates: str = setting(
        "samples",
        "What the model's distribution of numbers is made from: 'samples', 'beams', or 'exact', all "
        "answers of `number_decoding_format`.",
        choices=list(CANDIDATES),
    )
    number_decoding_num: int = setting(32, "Samples or beams a row.")
    number_decoding_format: str | None = setting(
        None,
        "For 'exact': the answers as a range, such as 0-10, 000-999 or 0.0-9.9; with text around the "
        "number, a leading space too, in braces: ' {0-10}'.",
    )
    number_decoding_snap: bool = setting(False, "With 'mean': the nearest number among the candidates.")
    max_length: int | None = setting(
        1024, "Where rows of the teacher-forced metrics are cut, in tokens, as in training."
    )
    ntl_digits_only: bool | None = setting(
        None, f"Which tokens are numbers. Default: as trained ({FILE_NAME}), else single digits."
    )
    resamples: int = setting(1000, "Bootstrap samples of the intervals; 0: no intervals.")
    confidence: float = setting(0.95, "Coverage of the intervals.")
    dtype: str | None = setting("auto", "'auto' (as saved), 'float32', 'bfloat16', ...")
    attn_implementation: str | None = setting(None, "Attention, as in training.")
    use_cpu: bool = setting(False, "Leave the accelerator alone.")
    seed: int = setting(0, "Of sampling and of the bootstrap.")
    trust_remote_code: bool = setting(False, "Run the code that comes with a model.")
    lm_eval_tasks: list[str] | None = setting(  # noqa: RUF009 (a field, whatever its type)
        None,
        "Besides, tasks of EleutherAI's lm-evaluation-harness by name, such as gsm8k, on the first "
        "`max_eval_samples` rows; needs ntl-hf[lm-eval]. With `task: gsm8k`, its GSM8K reads `data_path` too.",
    )
    lm_eval_num_fewshot: int | None = setting(
        None, "Worked examples in the prompts of `lm_eval_tasks`. Default: each task's own."
    )

    def __post_init__(self) -> None:
        self.lm_eval_tasks = [self.lm_eval_tasks] if isinstance(self.lm_eval_tasks, str) else self.lm_eval_tasks
        for name in ("per_device_eval_batch_size", "max_new_tokens", "num_beams", "number_decoding_num"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be 1 or more, not {getattr(self, name)}.")
        check_bootstrap(self.confidence, self.resamples)
        if self.dtype not in (None, "auto") and not isinstance(getattr(torch, str(self.dtype), None), torch.dtype):
            raise ValueError(f"`dtype` is '{self.dtype}'; take 'auto', 'float32', 'bfloat16' or 'float16'.")
        self._check_sampling()
        self._check_number_decoding()

    def generation_settings(self) -> dict[str, Any]:
        """For `GenerationConfig`."""
        sampling = {"temperature": self.temperature, "top_p": self.top_p} if self.do_sample else {}
        return {
            "max_new_tokens": self.max_new_tokens,
            "num_beams": self.num_beams,
            "do_sample": self.do_sample,
            **sampling,
        }

    def _check_sampling(self) -> None:
        if not self.do_sample and (self.temperature, self.top_p) != (1.0, 1.0):
            raise ValueError("`temperature` and `top_p` are of sampling: add --do_sample true, or remove them.")
        if not self.temperature > 0 or not 0 < self.top_p <= 1:
            raise ValueError(
                f"`temperature` must be above 0 and `top_p` above 0 and at most 1; they are {self.temperature} and "
                f"{self.top_p}."
            )

    def _check_number_decoding(self) -> None:
        for name, known in (("number_decoding", tuple(RISK_OF)), ("number_decoding_candidates", CANDIDATES)):
            check_choice(name, getattr(self, name), known)
        if self.number_decoding == "none" and self.number_decoding_format is None:
            return
        if self.number_decoding == "none":
            raise ValueError("`number_decoding_format` is of `number_decoding`: name an estimate, or remove it.")
        if (self.number_decoding_candidates == "exact") != (self.number_decoding_format is not None):
            raise ValueError(
                "`number_decoding_format` is what `number_decoding_candidates: exact` chooses from; give both, "
                "such as 0-10, or neither."
            )
        if self.number_decoding_format is not None:
            number_range(self.number_decoding_format)
