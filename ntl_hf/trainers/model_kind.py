"""What is no language model is refused: the number loss acts on the logits of number tokens."""

from functools import cache
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.models.auto import modeling_auto

from ..tokens.number_vocab import NumberVocab

# The auto classes of transformers whose models have a logit for each token of a vocabulary.
_LANGUAGE = (
    "CAUSAL_LM", "MASKED_LM", "SEQ_TO_SEQ_CAUSAL_LM", "SPEECH_SEQ_2_SEQ", "IMAGE_TEXT_TO_TEXT", "MULTIMODAL_LM"
)  # fmt: skip
_PRETRAINING = "PRETRAINING"


def check_language_model(model: nn.Module) -> None:
    """Raise `ValueError` for a model of transformers that predicts no tokens, adapted or not, or one without a config.

    Others are left to `logits_of`, once there are outputs.
    """
    check_has_config(model)
    adapted: Any = model
    base = adapted.get_base_model() if hasattr(adapted, "get_base_model") else adapted
    if not isinstance(base, PreTrainedModel):
        return
    task = next((_tasks()[cls.__name__] for cls in type(base).__mro__ if cls.__name__ in _tasks()), None)
    # Those of pretraining have output embeddings, and no `logits` of tokens.
    if task is not None and task not in _LANGUAGE and (task == _PRETRAINING or base.get_output_embeddings() is None):
        raise ValueError(_refusal(base, task))


def check_has_config(model: nn.Module) -> None:
    """Raise `ValueError` for a module without the configuration of a model of transformers."""
    if not hasattr(getattr(model, "config", None), "get_text_config"):
        raise ValueError(
            f"{type(model).__name__} has no `config` of transformers, which tells the size of the vocabulary and the "
            "kind of model: take a `PreTrainedModel`, or give the module a `config` (`PretrainedConfig`) of its own."
        )


def logits_of(outputs: Any, vocab: NumberVocab) -> Tensor:
    """The logits, `[B, T, V]`; raise `ValueError` for outputs of what is no language model."""
    logits = outputs.get("logits") if hasattr(outputs, "get") else getattr(outputs, "logits", None)
    if not isinstance(logits, Tensor) or logits.ndim != 3 or not vocab.fits(logits.shape[-1]):
        found = f"logits {list(logits.shape)}" if isinstance(logits, Tensor) else "no `logits`"
        raise ValueError(
            f"The model's outputs ({type(outputs).__name__}) have {found}; needed are logits [B, T, V] with one for "
            "each token of the vocabulary. Take a language model (`AutoModelForCausalLM`, `AutoModelForSeq2SeqLM`)."
        )
    return logits


@cache
def _tasks() -> dict[str, str]:
    """Names of model classes, and the auto class that loads them, by its part after `MODEL_FOR_`: "CAUSAL_LM"."""
    tasks: dict[str, str] = {}
    for name in dir(modeling_auto):
        if name.startswith("MODEL_") and name.endswith("_MAPPING_NAMES"):
            task = name.removeprefix("MODEL_").removeprefix("FOR_").removesuffix("MAPPING_NAMES").strip("_")
            for classes in getattr(modeling_auto, name).values():
                for each in [classes] if isinstance(classes, str) else classes:
                    # A class of several tasks is a language model if one of them is.
                    if tasks.get(each, "") not in _LANGUAGE:
                        tasks[each] = task
    return tasks


def _refusal(model: Any, task: str) -> str:
    advice = "Load it with `AutoModelForCausalLM` or `AutoModelForSeq2SeqLM`"
    if task == "SEQUENCE_CLASSIFICATION" and model.config.num_labels == 1:
        advice = (
            "Its one output is a number: make it with `ntl_hf.systems.load_regression_head` and train it with "
            f"`ntl_hf.systems.NumberHeadTrainer`. Or predict tokens: {advice[0].lower()}{advice[1:]}"
        )
    elif task == _PRETRAINING:
        advice = "Load it with `AutoModelForMaskedLM`, if it has such a head"
    elif "CLASSIFICATION" in task or "ANSWERING" in task or "CHOICE" in task:
        advice += ", or train it with the stock Trainer, without the number loss"
    return (
        f"{type(model).__name__} is no language model: it has no logit for each token of the vocabulary, and the "
        f"number loss acts on those of the number tokens. {advice}."
    )
