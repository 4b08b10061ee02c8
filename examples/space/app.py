"""A page on which to look at the Number Token Loss, digit by digit. Runs offline.

    python examples/space/app.py

Tokens, numbers and losses are computed in `lens.py`; this file has the controls and what happens when one is moved.
"""

import os
from pathlib import Path
from typing import Any

# Before gradio and transformers read them: nothing is sent anywhere.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import draw
import gradio as gr
import picture
from lens import LOSSES, InputError
from shelf import EMBEDDED, get_lens

EXAMPLES = [
    ["23+17=40", "40"],
    ["Anna has 38 apples and buys 27 more. Now she has 65.", "65"],
    ["The food was very tasty and the staff was friendly. Score: 9", "9"],
    ["48*7=336", "336"],
]
INTRODUCTION = """# Number Token Loss, digit by digit

Cross entropy (CE) charges the same for every wrong digit. The Number Token Loss (NTL) charges more for those that are
further off. Type a sentence and the number in it that a model is to predict.
"""
NO_MODEL = "The demo has no model for this tokenizer: tokens, numbers and the landscape are all there is to see."


def look(
    sentence: str,
    number: str,
    tokenizer: str,
    loss: str,
    weight: float,
    confidence: float,
    digits_only: bool,
    position: int | None,
) -> tuple[Any, ...]:
    """Contents of the page: message, tokens, choice of token, the model's figures, table, landscape."""
    try:
        lens = get_lens(tokenizer or "", digits_only)
        reading = lens.read(sentence or "", number or "")
    except InputError as error:
        return _page(draw.message(str(error), "error"))
    if not reading.choices:
        return _page(draw.message(_nothing(digits_only), "error"), draw.chips(reading.tokens, None))
    position = position if position in reading.choices else reading.choices[0]
    options = [(f"{reading.tokens[i].shown.strip('·')}  ({_nth(n)})", i) for n, i in enumerate(reading.choices, 1)]
    beliefs = lens.beliefs(reading, position, loss)
    points = lens.landscape(reading, position, loss, confidence)
    return _page(
        "" if beliefs else draw.message(NO_MODEL),
        draw.chips(reading.tokens, position),
        gr.Radio(choices=options, value=position, visible=True),
        draw.figures(beliefs, weight) if beliefs else "",
        draw.table(points, beliefs, loss, weight, confidence),
        picture.landscape(points, weight) + picture.comparison(lens.values[int(reading.ids[position])]),
    )


def _page(note: str, chips: str = "", choice: Any = None, *rest: str) -> tuple[Any, ...]:
    """The outputs in their order; what is empty takes no room."""
    shown = [gr.HTML(value=each, visible=bool(each)) for each in (note, chips, *(rest or ("", "", "")))]
    return *shown[:2], choice or gr.Radio(choices=[], value=None, visible=False), *shown[2:]


def _nth(n: int) -> str:
    return str(n) + {1: "st", 2: "nd", 3: "rd"}.get(n, "th")


def _nothing(digits_only: bool) -> str:
    if digits_only:
        return "No token of the true number is a single digit. Switch off “single digits only” to count longer ones."
    return "No token of the true number consists of digits alone, so there is nothing for a number loss to act on."


def build() -> gr.Blocks:
    """The page."""
    with gr.Blocks(title="Number Token Loss") as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=300):
                controls = _controls()
            with gr.Column(scale=3, min_width=300):
                outputs = _outputs()
        inputs = [*controls, outputs[2]]
        sentence, number, *others = controls
        _react(inputs, outputs, sentence, number, others)
        page.load(look, inputs, outputs, show_progress="hidden", api_name=False)
    return page


def _controls() -> list[Any]:
    sentence = gr.Textbox(EXAMPLES[0][0], label="Sentence, with its number", lines=2, elem_id="sentence")
    number = gr.Textbox(EXAMPLES[0][1], label="True number", max_lines=1, elem_id="number")
    gr.Examples(EXAMPLES, [sentence, number], label="Or one of these", example_labels=[each[0] for each in EXAMPLES])
    tokenizer = gr.Dropdown(
        list(EMBEDDED),
        value=next(iter(EMBEDDED)),
        label="Tokenizer",
        info="Or type a Hub id, if this machine is online.",
        allow_custom_value=True,
        elem_id="tokenizer",
    )
    digits_only = gr.Checkbox(
        True, label="single digits only", info="Off: 345 is a number token too.", elem_id="digits"
    )
    loss = gr.Dropdown(list(LOSSES), value=next(iter(LOSSES)), label="Number loss", elem_id="loss")
    weight = gr.Slider(0, 2, 0.3, step=0.05, label="Weight of the number loss", elem_id="weight")
    confidence = gr.Slider(
        0.5,
        0.99,
        0.9,
        step=0.01,
        label="Confidence",
        info="The probability of the predicted number in the table and in the landscape.",
        elem_id="confidence",
    )
    return [sentence, number, tokenizer, loss, weight, confidence, digits_only]


def _outputs() -> list[Any]:
    note = gr.HTML(elem_id="note")
    tokens = gr.HTML(elem_id="tokens")
    token = gr.Radio([], label="Token of the true number to look at", elem_id="token")
    return [note, tokens, token, *(gr.HTML(elem_id=name) for name in ("figures", "table", "picture"))]


def _react(inputs: list[Any], outputs: list[Any], sentence: Any, number: Any, others: list[Any]) -> None:
    """Typing and choosing look again; so does a click on an example, which changes the texts."""
    token = inputs[-1]
    events = [sentence.change, number.change, *(each.change for each in others), token.input]
    # While somebody types, only the last state counts.
    gr.on(events, look, inputs, outputs, show_progress="hidden", trigger_mode="always_last", api_name=False)


def launch() -> None:
    """Serve the page; `GRADIO_SERVER_NAME` and `GRADIO_SERVER_PORT` say where."""
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    # The default is too pale to read.
    theme.set(block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_300")
    build().launch(theme=theme, css_paths=Path(__file__).with_name("style.css"), footer_links=["gradio", "settings"])


if __name__ == "__main__":
    launch()
