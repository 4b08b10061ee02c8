"""`ntl-hf inspect`: which tokens of a tokenizer count as numbers, and which do not and why."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runs.model_names import check_model_name
from ..settings.errors import UsageError, as_usage_error
from .help import HelpFormatter, with_examples
from .terminal import make_console

if TYPE_CHECKING:
    from rich.table import Table

    from ..tokens.number_vocab import NumberVocab
    from ..tokens.vocab_report import VocabReport

_DESCRIPTION = with_examples(
    "Show which tokens of a tokenizer count as numbers, which with digits do not, and why.",
    "ntl-hf inspect HuggingFaceTB/SmolLM2-135M-Instruct",
    "ntl-hf inspect outputs/my-model --multi_digit",
)
# With more different values than these, rows are numbers of digits instead of values.
_MOST_VALUES = 20


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command and its options."""
    parser = commands.add_parser(
        "inspect",
        help="show which tokens of a tokenizer count as numbers",
        description=_DESCRIPTION,
        formatter_class=HelpFormatter,
    )
    parser.add_argument("tokenizer", metavar="TOKENIZER_OR_MODEL", help="folder or hub id")
    parser.add_argument("--gguf_file", metavar="NAME", help="read the tokenizer from this GGUF file of the folder")
    parser.add_argument(
        "--multi_digit", action="store_true", help="count tokens of several digits too (`ntl_digits_only: false`)"
    )
    parser.add_argument("--show", type=_positive, default=5, metavar="N", help="examples a row (default: 5)")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the report: 0, or 1 for a tokenizer without number tokens.

    Raises:
        UsageError: there is no such tokenizer, or it cannot be loaded.
    """
    _check_path(args.tokenizer)
    from ..tokens.vocab_report import report_vocab

    report = report_vocab(_load(args.tokenizer, args.gguf_file), digits_only=not args.multi_digit)
    console = make_console()
    summary = {
        "tokenizer": f"{report.name}, {report.size:,} tokens",
        "model": _describe_logits(_logits(args), report.size),
        **{f"'{text}'": "  ".join(map(_visible, tokens)) for text, tokens in report.samples.items()},
    }
    for name, text in summary.items():
        console.print(f"{name:>10}  {text}", markup=False, soft_wrap=True)
    for table in _tables(report, args.show):
        console.print(table)
    for warning in report.warnings:
        print(f"ntl-hf: warning: {warning}", file=sys.stderr)
    if report.problem:
        print(f"ntl-hf: error: {report.problem}", file=sys.stderr)
    return 1 if report.problem else 0


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return int(text)


def _load(path: str, gguf_file: str | None) -> Any:
    import transformers

    transformers.logging.set_verbosity_error()
    try:
        return transformers.AutoTokenizer.from_pretrained(path, **({"gguf_file": gguf_file} if gguf_file else {}))
    # Files of all kinds are parsed by several libraries; the tokenizers library raises plain `Exception`.
    except Exception as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"cannot load a tokenizer from '{path}': {why}") from error


def _check_path(path: str) -> None:
    """Say what is wrong with a path: transformers would take it for a hub id, and say that it is malformed."""
    place = Path(path)
    if place.is_file():
        gguf = f" --gguf_file {place.name}" if place.suffix == ".gguf" else ""
        raise UsageError(f"'{path}' is a file; give its folder: `ntl-hf inspect {place.parent}{gguf}`")
    with as_usage_error(FileNotFoundError):
        check_model_name(path)


def _logits(args: argparse.Namespace) -> int | None:
    """How many logits the model has; None where that is not on record."""
    from transformers import AutoConfig

    from ..systems.adapted import register_for

    # A GGUF file would be read a second time, for many seconds.
    if args.gguf_file:
        return None
    try:
        register_for(args.tokenizer)
        return AutoConfig.from_pretrained(args.tokenizer).get_text_config().vocab_size
    # A folder that holds a tokenizer alone is as good as one with a model.
    except (OSError, ValueError, AttributeError):
        return None


def _describe_logits(logits: int | None, size: int) -> str:
    if logits is None:
        return "number of logits unknown, no configuration was read"
    if logits == size:
        return f"{logits:,} logits, as many as the tokenizer has tokens"
    if logits > size:
        return f"{logits:,} logits, {logits - size:,} more than the tokenizer has tokens (padded; fine)"
    return f"{logits:,} logits, {size - logits:,} fewer than the tokenizer has tokens: resize the model"


def _tables(report: "VocabReport", show: int) -> "Iterator[Table]":
    from ..evaluation.table import rich_table

    numbers, style = report.numbers, {"title_justify": "left"}
    title = f"{len(numbers or ()):,} number tokens"
    if numbers is not None and len(numbers.values.unique()) > _MOST_VALUES:
        header = ("digits", "count", "values", "tokens (ids)")
        yield rich_table(title, header, _rows_by_length(numbers, show), **style)
    else:
        yield rich_table(title, ("value", "tokens", "ids"), _rows_by_value(numbers, show) if numbers else (), **style)
    if report.left_out:
        title = "tokens with digits that do not count"
        yield rich_table(title, ("reason", "count", "examples"), _rows_left_out(report.left_out, show), **style)


def _rows_by_value(numbers: "NumberVocab", show: int) -> Iterator[tuple[str, ...]]:
    for value, entries in _grouped(numbers, key=lambda _, value: value):
        tokens = [_visible(token) for token, _, _ in entries]
        yield f"{value:g}", _examples(tokens, show), _examples([str(i) for _, i, _ in entries], show)


def _rows_by_length(numbers: "NumberVocab", show: int) -> Iterator[tuple[str, ...]]:
    for length, entries in _grouped(numbers, key=lambda token, _: sum(map(str.isdigit, token))):
        values = [value for _, _, value in entries]
        examples = [f"{_visible(token)} ({i})" for token, i, _ in entries]
        yield str(length), f"{len(entries):,}", f"{min(values):g} to {max(values):g}", _examples(examples, show)


def _grouped(numbers: "NumberVocab", key: Any) -> list[tuple[Any, list[tuple[str, int, float]]]]:
    """Token, id and value of the number tokens, in groups ordered by `key(token, value)`."""
    groups: dict[Any, list[tuple[str, int, float]]] = {}
    for token, token_id, value in zip(numbers.tokens, numbers.ids.tolist(), numbers.values.tolist(), strict=True):
        groups.setdefault(key(token, value), []).append((token, token_id, value))
    return sorted(groups.items())


def _rows_left_out(left_out: dict[str, list[str]], show: int) -> Iterator[tuple[str, ...]]:
    hints = {"several digits": "several digits (needs --multi_digit)"}
    for reason, tokens in left_out.items():
        yield hints.get(reason, reason), f"{len(tokens):,}", _examples([_visible(token) for token in tokens], show)


def _examples(texts: Sequence[str], show: int) -> str:
    return "  ".join([*texts[:show], *(["..."] if len(texts) > show else [])])


def _visible(text: str) -> str:
    """A token in one line, with its spaces shown and control characters escaped."""
    return "".join("␣" if c == " " else c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
