"""A model that has been trained, ready to be evaluated: a checkpoint, or an adapter on its base model."""

from pathlib import Path
from typing import Any, Protocol

from peft import PeftConfig, PeftModel
from transformers import AutoConfig, AutoTokenizer
from transformers.utils.peft_utils import find_adapter_config_file

from ..systems.adapted import register_for
from ..systems.under_adapter import rebuild, saved_system
from ..trainers.checkpoints import list_checkpoints
from ..trainers.model_systems import is_system
from .model_names import check_model_name, loading_error
from .systems.load import auto_class_of

NO_MODEL = "`model_name_or_path` is missing: a checkpoint, an adapter's folder or a hub id."


class TrainedModelArguments(Protocol):
    """What is read of the arguments; see `EvaluationArguments`."""

    model_name_or_path: str | None
    base_model_name_or_path: str | None
    model_revision: str
    dtype: str | None
    attn_implementation: str | None
    trust_remote_code: bool


def load_trained(args: TrainedModelArguments) -> tuple[Any, Any]:
    """Load model and tokenizer; of an adapter, the base model is the one that it was trained on.

    Returns:
        The model in evaluation mode, on the CPU, and its tokenizer, which has a padding token.

    Raises:
        ValueError: no model is named, a folder without one, or a base model for what is no adapter.
        OSError: there is no such model, base model or tokenizer.
    """
    if args.model_name_or_path is None:
        raise ValueError(NO_MODEL)
    check_model_name(args.model_name_or_path)
    _check_folder(Path(args.model_name_or_path))
    try:
        return _load_adapter(args) if _is_adapter(args) else _load_model(args)
    except OSError as error:
        raise loading_error(args.model_name_or_path, error) from error


def _check_folder(folder: Path) -> None:
    """Raise `ValueError` for a local folder without a model, such as one that holds checkpoints alone."""
    if not folder.is_dir() or any((folder / name).is_file() for name in ("config.json", "adapter_config.json")):
        return
    checkpoints = list_checkpoints(folder)
    hint = f"; its last checkpoint is {checkpoints[0]}" if checkpoints else ""
    raise ValueError(f"{folder} holds no model (no config.json or adapter_config.json){hint}.")


def _is_adapter(args: TrainedModelArguments) -> bool:
    is_adapter = find_adapter_config_file(str(args.model_name_or_path), revision=args.model_revision) is not None
    if args.base_model_name_or_path is not None and not is_adapter:
        raise ValueError(f"{args.model_name_or_path} is no adapter: remove `base_model_name_or_path`.")
    return is_adapter


def _load_model(args: TrainedModelArguments) -> tuple[Any, Any]:
    name = str(args.model_name_or_path)
    tokenizer = AutoTokenizer.from_pretrained(name, **_source(args))
    return _ready(_from_pretrained(name, args.model_revision, args), tokenizer)


def _load_adapter(args: TrainedModelArguments) -> tuple[Any, Any]:
    name = str(args.model_name_or_path)
    base, revision = _base_of(name, args)
    # The trainers save the tokenizer beside an adapter; adapters from elsewhere may come without.
    has_tokenizer = not Path(name).is_dir() or (Path(name) / "tokenizer_config.json").exists()
    try:
        check_model_name(base)
        tokenizer = AutoTokenizer.from_pretrained(name if has_tokenizer else base, **_source(args))
        model = _base_model(name, base, revision, tokenizer, args)
    except OSError as error:
        raise OSError(
            f"its base model {base}: {error} If that is elsewhere now, name it as `base_model_name_or_path`."
        ) from error
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        # Tokens were added in training; the adapter has their rows.
        model.resize_token_embeddings(len(tokenizer))
    return _ready(PeftModel.from_pretrained(model, name, revision=args.model_revision), tokenizer)


def _base_model(adapter: str, base: str, revision: str, tokenizer: Any, args: TrainedModelArguments) -> Any:
    """The model under an adapter: what `base` is, or, where it was trained as another system, that system of it."""
    source = {"revision": revision, "trust_remote_code": args.trust_remote_code}
    register_for(base, **source)
    system = saved_system(adapter, **_source(args))
    if system is None or is_system(AutoConfig.from_pretrained(base, **source)):
        return _from_pretrained(base, revision, args)
    return rebuild(base, system, tokenizer, **source, **_precision_and_attention(args))


def _source(args: TrainedModelArguments) -> dict[str, Any]:
    return {"revision": args.model_revision, "trust_remote_code": args.trust_remote_code}


def _from_pretrained(name: str, revision: str, args: TrainedModelArguments) -> Any:
    source = {"revision": revision, "trust_remote_code": args.trust_remote_code}
    register_for(name, **source)
    auto_class = auto_class_of(AutoConfig.from_pretrained(name, **source))
    return auto_class.from_pretrained(name, **source, **_precision_and_attention(args))


def _precision_and_attention(args: TrainedModelArguments) -> dict[str, Any]:
    return {"dtype": args.dtype, "attn_implementation": args.attn_implementation}


def _base_of(adapter: str, args: TrainedModelArguments) -> tuple[str, str]:
    """Name and revision of the model that an adapter was trained on."""
    config = PeftConfig.from_pretrained(adapter, revision=args.model_revision)
    base = args.base_model_name_or_path or config.base_model_name_or_path
    if not base:
        raise ValueError(
            f"The adapter {adapter} does not say on which model it was trained: name it as `base_model_name_or_path`."
        )
    return base, config.revision or "main"


def _ready(model: Any, tokenizer: Any) -> tuple[Any, Any]:
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model.eval(), tokenizer
