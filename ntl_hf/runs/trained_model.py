"""A model that has been trained, ready to be evaluated: a checkpoint, or an adapter on its base model."""

from pathlib import Path
from typing import Any

from peft import PeftConfig, PeftModel
from transformers import AutoConfig, AutoTokenizer
from transformers.utils.peft_utils import find_adapter_config_file

from ..systems.adapted import register_for
from ..systems.registration import is_system
from ..systems.under_adapter import rebuild, saved_system
from ..trainers.checkpoints import list_checkpoints
from .evaluation_arguments import EvaluationArguments
from .model import auto_class_of
from .model_names import check_model_name, loading


def load_trained(args: EvaluationArguments) -> tuple[Any, Any]:
    """Load model and tokenizer; of an adapter, the base model is the one that it was trained on.

    Returns:
        The model in evaluation mode, on the CPU, and its tokenizer, which has a padding token.

    Raises:
        ValueError: a folder without a model, or a base model for what is no adapter.
        OSError: there is no such model, base model or tokenizer.
    """
    name = str(args.model_name_or_path)
    source = {"revision": args.model_revision, "trust_remote_code": args.trust_remote_code}
    kwargs = {"dtype": args.dtype, "attn_implementation": args.attn_implementation}
    _check_folder(Path(name))
    with loading(name):
        is_adapter = find_adapter_config_file(name, revision=args.model_revision) is not None
        if args.base_model_name_or_path is not None and not is_adapter:
            raise ValueError(f"{name} is no adapter: remove `base_model_name_or_path`.")
        if is_adapter:
            model, tokenizer = _load_adapter(name, source, args.base_model_name_or_path, kwargs)
        else:
            tokenizer = AutoTokenizer.from_pretrained(name, **source)
            model = _load_model(name, source, kwargs)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.eval(), tokenizer


def _check_folder(folder: Path) -> None:
    """Raise `ValueError` for a local folder without a model, such as one that holds checkpoints alone."""
    if not folder.is_dir() or any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
        return
    checkpoints = list_checkpoints(folder)
    hint = f"; its last checkpoint is {checkpoints[0]}" if checkpoints else ""
    raise ValueError(f"{folder} holds no model (no config.json or adapter_config.json){hint}.")


def _load_model(name: str, source: dict[str, Any], kwargs: dict[str, Any]) -> Any:
    register_for(name, **source)
    auto_class = auto_class_of(AutoConfig.from_pretrained(name, **source))
    return auto_class.from_pretrained(name, **source, **kwargs)


def _load_adapter(name: str, source: dict[str, Any], base: str | None, kwargs: dict[str, Any]) -> tuple[Any, Any]:
    config = PeftConfig.from_pretrained(name, revision=source["revision"])
    base = base or config.base_model_name_or_path
    if not base:
        raise ValueError(
            f"The adapter {name} does not say on which model it was trained: name it as `base_model_name_or_path`."
        )
    # The trainers save the tokenizer beside an adapter; adapters from elsewhere may come without.
    has_tokenizer = not Path(name).is_dir() or (Path(name) / "tokenizer_config.json").exists()
    base_source = {**source, "revision": config.revision or "main"}
    try:
        check_model_name(base)
        tokenizer = AutoTokenizer.from_pretrained(name if has_tokenizer else base, **source)
        system = saved_system(name, **source)
        register_for(base, **base_source)
        # What `base` is or, where it was trained as another system, that system of it.
        if system is None or is_system(AutoConfig.from_pretrained(base, **base_source)):
            model = _load_model(base, base_source, kwargs)
        else:
            model = rebuild(base, system, tokenizer, **base_source, **kwargs)
    except OSError as error:
        raise OSError(
            f"its base model {base}: {error} If that is elsewhere now, name it as `base_model_name_or_path`."
        ) from error
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        # Tokens were added in training; the adapter has their rows.
        model.resize_token_embeddings(len(tokenizer))
    return PeftModel.from_pretrained(model, name, revision=source["revision"]), tokenizer
