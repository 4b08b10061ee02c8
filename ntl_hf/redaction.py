"""Settings without their secrets, for whatever is written down: tokens, keys, passwords, addresses with a login."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

_REDACTED = "<redacted>"
# Of a recipe: variables of the environment, which may be anything.
_ENVIRONMENT = "env"
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Whatever stands before them: `PGPASSWORD`.
_SECRET_ENDS = ("password", "passwd", "passphrase", "secret", "secrets", "apikey", "credential", "credentials")
# Secrets alone; as the last of several words, "token" and "key" are looked at more closely.
_SECRET_NAMES = frozenset(("token", "key", "pass", "pw", "pwd", "auth", "authorization", "pat", "bearer", "cookie"))
_KEYS = frozenset(("api", "access", "account", "auth", "encryption", "private", "secret", "signing", "ssh", "storage"))
# Tokens of a tokenizer.
_TEXT_TOKENS = frozenset(
    ("bos", "eos", "pad", "unk", "sep", "cls", "mask", "start", "end", "image", "video", "audio", "special")
)
_SHAPES = (
    re.compile(r"hf_(?=[A-Za-z]*[0-9A-Z])[A-Za-z0-9]{8,}|hf_[a-z]{16,}"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}"),
    re.compile(r"\bsk-[\w-]{16,}|\bxox[a-z]-[\w-]{8,}|\bAKIA[0-9A-Z]{12,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"),
    re.compile(r"(?i)(?<=\bbearer )[^\s\"']+"),
)
# In the query of an address, signed ones too, and in texts such as `model=x,token=...`.
_SIGNATURES = ("sig", "signature", "x-amz-signature", "x-goog-signature")
_PAIR = re.compile(r"([\w-]+)=([^\s&,;\"']+)")
_LOGIN = re.compile(r"(?<=://)[^/\s@]*(?::[^/\s@]*)@|(?<=https://)[^/\s@]+@|(?<=http://)[^/\s@]+@")


class Secret(str):
    """A text that is used and not written: pickled, as `training_args.bin` is, it becomes None."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: Any) -> "Secret":
        return self


def redacted(value: Any) -> Any:
    """Settings without secrets: what is named as one is left out, what looks like one is masked.

    Args:
        value: dictionaries and lists of settings, nested as they like; the content of `env` is left out whole.

    Returns:
        New dictionaries and lists; other values as they are, texts masked.
    """
    if isinstance(value, Mapping):
        found = {key: redacted(each) for key, each in value.items() if not (is_secret(key) and _is_filled(each))}
        # Of settings that were nothing but secrets, nothing is left.
        return {key: each for key, each in found.items() if each != {} or not value[key]}
    if isinstance(value, list | tuple):
        return [redacted(each) for each in value]
    return redacted_text(value) if isinstance(value, str) else value


def redacted_text(text: str) -> str:
    """A text with what looks like a secret masked; JSON, as options of the command line have it, as its content."""
    if text.lstrip().startswith(("{", "[")):
        try:
            content = json.loads(text)
        except ValueError:
            content = None
        kept = redacted(content)
        if kept != content:
            return json.dumps(kept)
    text = _LOGIN.sub("", text)
    for shape in _SHAPES:
        text = shape.sub(_REDACTED, text)
    return _PAIR.sub(_redacted_pair, text)


def _redacted_pair(pair: re.Match[str]) -> str:
    name = pair[1]
    return f"{name}={_REDACTED}" if name.lower() in _SIGNATURES or is_secret(name) else pair[0]


def is_secret(name: Any) -> bool:
    """Whether a setting of that name holds a secret: `hub_token`, `WANDB_API_KEY`, `password`; not `eos_token`."""
    words = [word.lower() for word in _WORDS.findall(str(name))]
    if not words:
        return False
    if str(name) == _ENVIRONMENT or any(word.endswith(_SECRET_ENDS) for word in words):
        return True
    if len(words) == 1 and words[0] in _SECRET_NAMES:
        return True
    if words[-1] == "token":
        return not _TEXT_TOKENS & set(words)
    return "key" in words and bool(_KEYS & set(words))


def keep_out_of_files(arguments: Any) -> None:
    """Make the secrets among the fields of training arguments such that saving the arguments leaves them out."""
    for each in fields(arguments):
        value = getattr(arguments, each.name, None)
        if isinstance(value, str | dict):
            setattr(arguments, each.name, _kept_out(each.name, value))


def _kept_out(name: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _kept_out(key, each) for key, each in value.items()}
    is_text = isinstance(value, str) and bool(value)
    return Secret(value) if is_text and (is_secret(name) or redacted_text(value) != value) else value


def _is_filled(value: Any) -> bool:
    # `token: true` takes the one that is stored elsewhere.
    return value is not None and not isinstance(value, bool) and value not in ("", {})
