"""Settings without their secrets, for whatever is written down: tokens, keys, passwords, addresses with a login."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from itertools import pairwise
from typing import Any

_REDACTED = "<redacted>"
# Of a recipe: variables of the environment, which may be anything.
_ENVIRONMENT = "env"
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Whatever stands before them: `PGPASSWORD`.
_SECRET_ENDS = ("password", "passwd", "passphrase", "secret", "secrets", "apikey", "credential", "credentials")
# Alone or as the last of several words, unless one of the others says what else is meant.
_SECRET_NAMES = frozenset(
    ("token", "key", "pass", "pw", "pwd", "auth", "authorization", "pat", "bearer", "cookie", "jwt", "sas", "dsn")
)
_KEYS = frozenset(("api", "access", "account", "auth", "encryption", "private", "secret", "signing", "ssh", "storage"))
_NO_SECRETS = {
    # Of a tokenizer.
    "token": {
        *("bos", "eos", "pad", "unk", "sep", "cls", "mask", "start", "end", "image", "video", "audio", "special"),
        *("prefix", "suffix", "middle", "number", "digit", "num", "per", "eot", "boi", "eoi", "blank", "separator"),
    },
    # Of a table, of rows or of metrics.
    "key": {
        *("primary", "foreign", "partition", "sort", "group", "order", "join", "unique", "index", "column", "row"),
        *("field", "text", "prompt", "completion", "question", "answer", "label", "target", "input", "output"),
        *("image", "video", "audio", "data", "dataset", "metric", "state", "cache", "config", "dict", "value"),
        "query",
    },
    "pass": {"forward", "backward", "one", "two", "single", "first", "second", "multi", "per", "low", "high"},
}
_CONNECTIONS = (["connection", "string"], ["conn", "str"], ["conn", "string"])
# Here names are those of a table's columns.
_COLUMNS = "columns"
_SHAPES = (
    re.compile(r"hf_(?=[A-Za-z]*[0-9A-Z])[A-Za-z0-9]{8,}|hf_[a-z]{16,}"),
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}"),
    re.compile(r"\bsk-[\w-]{16,}|\bxox[a-z]-[\w-]{8,}|\bA[KS]IA[0-9A-Z]{12,}|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"),
    re.compile(r"\bAIza[\w-]{16,}|\bya29\.[\w.-]{8,}|\b(?:npm|r8|gsk)_[A-Za-z0-9]{16,}|\b(?:pypi|nvapi)-[\w-]{16,}"),
    re.compile(r"(?i)(?<=\bbearer )[^\s\"']+|(?<=\bauthorization: basic )[^\s\"']+"),
)
# In the query of an address.
_SIGNATURES = ("sig", "signature", "x-amz-signature", "x-goog-signature")
# In texts such as `model=x,token=...`, `token: ...`, `{'token': '...'}` and `--hub_token ...`: a name, and its value.
_NAME = re.compile(r"""(?<![\w-])([\w-]+)(["']?\s?(?::|=(?!=))\s?|\s+)""")
_VALUE = re.compile(
    r"""(?!<redacted>|(?i:bearer|basic|token)\s|(?i:none|null|true|false)\b)("[^"]+"|'[^']+'|[^\s&,;"']+)"""
)
# With a colon these are words of a sentence: "unknown key: x".
_WORDS_OF_A_SENTENCE = frozenset(("key", "pass", "pat", "auth", "env", "secrets", "credential", "credentials"))
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
        found = {name: _redacted_item(name, each) for name, each in value.items() if not _holds_secret(name, each)}
        # Of settings that were nothing but secrets, nothing is left.
        return {name: each for name, each in found.items() if each != {} or not value[name]}
    if isinstance(value, list | tuple):
        # May be the words of a command.
        return [_redacted_item(*pair) for pair in pairwise([None, *value])]
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
    return _without_values(text)


def _without_values(text: str) -> str:
    parts, position = [], 0
    # Step by step, for the value of one name may hold the next: `url=https://host/x?token=...`.
    while found := _NAME.search(text, position):
        parts.append(text[position : found.end()])
        position = found.end()
        value = _VALUE.match(text, position) if _is_followed_by_secret(*found.groups()) else None
        if value is not None and found[2].isspace() and value[0].startswith("-"):
            continue  # an option without a value
        if value is not None:
            parts.append(_REDACTED)
            position = value.end()
    return "".join(parts) + text[position:]


def _is_followed_by_secret(name: str, between: str) -> bool:
    if between.isspace():
        return name.startswith("--") and is_secret(name)
    if ":" in between and name.lower() in _WORDS_OF_A_SENTENCE:
        return False
    return name.lower() in _SIGNATURES or is_secret(name)


def _redacted_item(before: Any, value: Any) -> Any:
    """What is left of a value whose name, or the word before it, this is."""
    if before == _COLUMNS and isinstance(value, Mapping):
        return {key: redacted(each) for key, each in value.items()}
    is_its_value = isinstance(before, str) and isinstance(value, str) and not value.startswith("-")
    return _REDACTED if is_its_value and _is_followed_by_secret(before, " ") else redacted(value)


def _holds_secret(name: Any, value: Any) -> bool:
    # `token: true` takes the one that is stored elsewhere.
    return is_secret(name) and value is not None and not isinstance(value, bool) and value not in ("", {})


def is_secret(name: Any) -> bool:
    """Whether a setting of that name holds a secret: `hub_token`, `OPENAI_KEY`, `db_pass`; not `eos_token`."""
    words = [word.lower() for word in _WORDS.findall(str(name))]
    if not words:
        return False
    if str(name) == _ENVIRONMENT or any(word.endswith(_SECRET_ENDS) for word in words):
        return True
    if words[-2:] in _CONNECTIONS or ({"key", "keys"} & set(words) and _KEYS & set(words)):
        return True
    return words[-1] in _SECRET_NAMES and not _NO_SECRETS.get(words[-1], set()) & set(words)


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
