"""Scores as tables."""

import math

from rich.console import Console

from ntl_hf.evaluation import Score, to_markdown, to_table
from ntl_hf.evaluation.table import markdown_table, rich_table

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


def test_cells_do_not_break_out_of_a_table() -> None:
    table = markdown_table(["name", "rows"], [["a|b\nc", 7], ["", None]], right_aligned=["rows"])
    assert table == "| name | rows |\n| --- | ---: |\n| a\\|b c | 7 |\n|  | None |"
    console = Console(width=40)
    with console.capture() as captured:
        console.print(rich_table("[x]", ["[bold]"], [["[red]7[/red]"]]))
    assert all(text in captured.get() for text in ("[x]", "[bold]", "[red]7[/red]"))
