"""The page in a real browser: typing, choosing, clicking, and what can be read afterwards.

With `NTL_HF_SCREENSHOTS=docs/images` the pictures of `docs/demo.md` are made again.
"""

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from ntl_hf import NTLoss

from .conftest import load

pytestmark = pytest.mark.slow

WIDTHS = (1280, 390)
_WAIT_MS = 90_000


class Page:
    """The page, with what a person does on it."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def type(self, sentence: str, number: str) -> None:
        self.page.fill("#sentence textarea", sentence)
        self.page.fill("#number textarea, #number input", number)

    def choose(self, box: str, option: str) -> None:
        self.page.click(f"#{box} input")
        self.page.get_by_role("option", name=option, exact=True).click()

    def set(self, slider: str, value: float) -> None:
        self.page.fill(f"#{slider} input[type=number]", str(value))
        self.page.press(f"#{slider} input[type=number]", "Tab")

    def wait(self, selector: str, text: str) -> None:
        """Until the text of the element has `text` in it."""
        self.page.locator(selector).filter(has_text=text).first.wait_for(timeout=_WAIT_MS)

    def wait_for_tokens(self, sentence: str) -> None:
        """Until the tokens on the page are those of the sentence, whose spaces are drawn as dots."""
        joined = "[...document.querySelectorAll('.chip b')].map(token => token.textContent.trim()).join('')"
        spaced = f"sentence => {joined}.replaceAll('·', ' ') === sentence"
        self.page.wait_for_function(spaced, arg=sentence, timeout=_WAIT_MS)

    def text(self, selector: str) -> str:
        return str(self.page.inner_text(selector)).strip()

    def number(self, selector: str) -> float:
        return float(self.text(selector))

    def chips(self, kind: str = "chip") -> list[str]:
        return [each.strip() for each in self.page.locator(f".{kind} b").all_inner_texts()]

    def rows(self) -> list[list[float]]:
        rows = self.page.locator("#losses tbody tr").all()
        return [[float(cell.replace(",", "")) for cell in row.locator("th, td").all_inner_texts()] for row in rows]


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Page]:
    """At the examples' first sentence; whatever it asks for, it asks of this machine."""
    window = browser.new_page(viewport={"width": WIDTHS[0], "height": 900})
    window.set_default_timeout(_WAIT_MS)
    asked: list[str] = []
    problems: list[str] = []
    window.on("request", lambda request: asked.append(request.url))
    window.on("pageerror", lambda error: problems.append(str(error)))
    window.goto(address)
    window.wait_for_selector("#comparison")
    yield Page(window)
    window.close()
    assert [url for url in asked if not url.startswith((address, "data:", "blob:"))] == []
    assert problems == []


def _expected(sentence: str, settings: dict[str, Any]) -> tuple[list[float], list[float], list[float], list[float]]:
    """Cross entropy, number loss, expected value and mass at each token of the sentence, by the library."""
    shelf = load("shelf")
    tokenizer = shelf.get_tokenizer(next(iter(shelf.EMBEDDED)))
    ids = torch.tensor([tokenizer(sentence)["input_ids"]])
    with torch.no_grad():
        logits = shelf.get_model()(ids).logits
    ntl = NTLoss(tokenizer, **settings)
    cross = F.cross_entropy(logits[0, :-1], ids[0, 1:], reduction="none")
    values, masses = ntl.predict_numbers(logits)
    number_losses = ntl(logits, ids, shift=True, reduction="none")
    return cross.tolist(), number_losses[0].tolist(), values[0].tolist(), masses[0].tolist()


def _charge(predicted: int, true: int, confidence: float, settings: dict[str, Any]) -> float:
    """The number loss of a prediction, on logits of its own."""
    shelf = load("shelf")
    tokenizer = shelf.get_tokenizer(next(iter(shelf.EMBEDDED)))
    digits = tokenizer.convert_tokens_to_ids([str(digit) for digit in range(10)])
    probs = torch.full((10,), (1 - confidence) / 9)
    probs[predicted] = confidence
    logits = torch.full((1, 1, len(tokenizer)), -1e4)
    logits[0, 0, digits] = probs.log()
    return float(NTLoss(tokenizer, **settings)(logits, torch.tensor([[digits[true]]])))


def test_the_figures_are_the_librarys(page: Page) -> None:
    """A sentence is typed, loss, weight and confidence are chosen, the second digit is clicked."""
    sentence, loss = "Anna has 31 apples and buys 26 more. Now she has 57.", "crps: of the distribution, proper"
    page.type(sentence, "57")
    page.choose("loss", loss)
    page.set("weight", 0.5)
    page.set("confidence", 0.8)
    page.wait("#loss-name", loss)
    page.wait("#table", "the probability 0.8")
    page.wait("#table thead", "CE + 0.5 NTL")
    page.wait_for_tokens(sentence)
    page.page.locator("#token label", has_text="2nd").click()
    page.wait(".chosen", "7")
    cross, ntl, values, masses = _expected(sentence, {"loss": "crps"})
    at = len(cross) - 2  # before the full stop
    assert page.number("#model-ce") == pytest.approx(cross[at], abs=6e-4)
    assert page.number("#model-ntl") == pytest.approx(ntl[at], abs=6e-4)
    assert page.number("#model-loss") == pytest.approx(cross[at] + 0.5 * ntl[at], abs=6e-4)
    assert page.number("#model-expected") == pytest.approx(values[at], abs=6e-4)
    assert page.number("#model-mass") == pytest.approx(masses[at], abs=6e-4)
    assert page.number("#mean-ce") == pytest.approx(sum(cross[at - 1 : at + 1]) / 2, abs=6e-4)
    rows = page.rows()
    assert [row[0] for row in rows] == list(range(10)) and len({tuple(row[2:]) for row in rows}) > 5
    assert sum(row[1] for row in rows) == pytest.approx(masses[at], abs=6e-3)
    for digit, (_, _, ce, number_loss, both) in enumerate(rows):
        probability = 0.8 if digit == 7 else 0.2 / 9
        assert ce == pytest.approx(-torch.tensor(probability).log().item(), abs=6e-4)
        assert number_loss == pytest.approx(_charge(digit, 7, 0.8, {"loss": "crps"}), abs=6e-4)
        assert both == pytest.approx(ce + 0.5 * number_loss, abs=2e-3)
    assert page.chips("number") == ["3", "1", "2", "6", "5", "7"] and page.chips("member") == ["5", "7"]
    assert page.page.locator("#landscape polyline").count() == 3


def test_an_example_is_a_click_away(page: Page) -> None:
    page.page.get_by_text("48*7=336").click()
    page.wait("#tokens .member", "6")
    assert page.chips() == ["4", "8", "*", "7", "=", "3", "3", "6"]
    assert page.page.locator("#token label").count() == 3


def test_other_tokenizers_have_numbers_and_a_landscape_but_no_model(page: Page) -> None:
    groups = list(load("shelf").EMBEDDED)[1]
    page.type("345*2=690", "345")
    page.choose("tokenizer", groups)
    page.wait("#note", "Switch off")
    assert page.chips() == ["345", "*", "2", "=", "690"] and page.chips("number") == ["2"]
    assert page.page.locator("#losses").count() == 0
    page.page.click("#digits input")
    page.wait("#note", "no model")
    assert page.chips("number") == ["345", "2", "690"]
    assert page.page.locator("#figures").is_hidden() and page.page.locator("#landscape").is_visible()
    rows = {row[0]: row[1:] for row in page.rows()}
    assert {0, 344, 345, 346, 999} <= set(rows) and rows[345][1] < rows[346][1] < rows[999][1]


def test_bad_input_is_told_in_the_page(page: Page) -> None:
    for sentence, number, message in (
        ("", "40", "sentence is empty"),
        ("23+17=40", "41", "does not say “41”"),
        ("23+17=40", "forty", "cannot be read"),
        ("1 " * 150, "1", "at most 200"),
    ):
        page.type(sentence, number)
        page.wait("#note .lens-error", message)
        assert page.page.locator("#losses").count() == 0
    page.type("23+17=40", "40")
    page.wait("#losses tbody", "9")
    assert page.page.locator("#note").is_hidden()
    page.page.fill("#tokenizer input", "nobody/nothing-of-that-name")
    page.page.press("#tokenizer input", "Enter")
    page.wait("#note .lens-error", "cannot be had")


def test_what_is_typed_stays_text(page: Page) -> None:
    sentence = "<img src=x onerror=alert(1)> ${1+1} {{2+2}} <b>40</b>"
    page.page.on("dialog", lambda dialog: pytest.fail("a script ran"))
    page.type(sentence, "40")
    page.wait_for_tokens(sentence)
    page.wait("#tokens .chosen", "4")
    assert page.page.locator("#tokens img").count() == 0


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits(page: Page, tmp_path: Path, width: int) -> None:
    page.page.set_viewport_size({"width": width, "height": 900})
    sentence = "The food was very tasty and the staff was friendly. Score: 9"
    page.type(sentence, "9")
    page.wait_for_tokens(sentence)
    page.wait(".chosen", "9")
    page.page.evaluate("document.activeElement.blur()")
    page.page.wait_for_timeout(500)  # until what was hidden has its place
    assert page.page.evaluate("document.scrollingElement.scrollWidth") <= width
    for selector in ("#sentence", "#tokens", "#token", "#figures", "#losses", "#landscape", "#comparison"):
        box = page.page.locator(selector).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] > 20, selector
    folder = Path(os.environ.get("NTL_HF_SCREENSHOTS") or tmp_path)
    _save(page.page.screenshot(full_page=True), folder / f"demo-{width}.png")


def _save(screenshot: bytes, path: Path) -> None:
    """As a small PNG; a blank page is none."""
    image = pytest.importorskip("PIL.Image").open(BytesIO(screenshot)).convert("RGB")
    assert len(image.getcolors(maxcolors=1 << 24)) > 100
    image.quantize(128).save(path, optimize=True)
