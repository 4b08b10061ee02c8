"""Scores as tables."""

import math

from rich.console import Console

from ntl_hf.evaluation import Score, to_markdown, to_table

SCORES = {"rows": Score(1319), "mae": Score(2.34567, 1.0, 12345.6), "r2": Score(math.nan)}


def test_markdown() -> None:
    assert to_markdown(SCORES) == (
        "| metric | value | 95 % interval |\n"
        "| --- | ---: | ---: |\n"
        "| `rows` | 1319 | – |\n"
        "| `mae` | 2.346 | 1 to 1.235e+04 |\n"
        "| `r2` | – | – |\n"
    )


def test_terminal() -> None:
    console = Console(width=80, record=True, file=None, quiet=True)
    with console.capture() as captured:
        console.quiet = False
        console.print(to_table(SCORES, confidence=0.9, title="GSM8K"))
    text = captured.get()
    assert "GSM8K" in text
    assert "90 % interval" in text
    assert "1319" in text
    assert "1 to 1.235e+04" in text
