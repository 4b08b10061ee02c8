"""The demo's tokens and tables as HTML, without scripts; what a reader typed is always escaped."""

from collections.abc import Sequence
from html import escape

from lens import Beliefs, Point, Token

_MOST_ROWS = 12


def message(text: str, kind: str = "note") -> str:
    """A line for the reader; `kind` is "note" or "error"."""
    role = "alert" if kind == "error" else "status"
    return f'<p class="lens-{kind}" role="{role}">{escape(text)}</p>'


def chips(tokens: Sequence[Token], position: int | None) -> str:
    """The tokens in a row; numbers are coloured and have their value below, the chosen one has a frame."""
    parts = []
    for i, token in enumerate(tokens):
        names = ["chip", "number" if token.value is not None else "", "member" if token.in_number else ""]
        names.append("chosen" if i == position else "")
        value = "" if token.value is None else f"<small>{token.value:g}</small>"
        kind = " ".join(filter(None, names))
        parts.append(f'<span class="{kind}" data-position="{i}"><b>{escape(token.shown)}</b>{value}</span>')
    count = sum(token.value is not None for token in tokens)
    return (
        f'<div class="chips">{"".join(parts)}</div><p class="caption"><span id="token-count">{len(tokens)}</span> '
        f'tokens, <span id="number-count">{count}</span> of them numbers (coloured, with their value). The true '
        "number is underlined; the token that is looked at has a frame. A dot is a space.</p>"
    )


def figures(beliefs: Beliefs, weight: float) -> str:
    """What the model says: its losses at the chosen token and over the number."""
    guess = max(beliefs.probs, key=lambda value: beliefs.probs[value])
    cells = (
        ("ce", "CE", _short(beliefs.ce)),
        ("ntl", "NTL", _short(beliefs.ntl)),
        ("loss", f"CE + {weight:g} NTL", _short(beliefs.ce + weight * beliefs.ntl)),
        ("mass", "number mass", f"{beliefs.mass:.3f}"),
        ("expected", "expected value", f"{beliefs.expected:.3f}"),
        ("guess", "likeliest", f"{guess:g}"),
    )
    boxes = "".join(f'<div><dt>{escape(name)}</dt><dd id="model-{key}">{text}</dd></div>' for key, name, text in cells)
    return (
        f'<h3>The model at this token</h3><dl class="figures">{boxes}</dl><p class="caption">Over all number '
        f'tokens of the true number: CE <span id="mean-ce">{_short(beliefs.mean_ce)}</span>, '
        f'NTL <span id="mean-ntl">{_short(beliefs.mean_ntl)}</span>.</p>'
    )


def table(points: Sequence[Point], beliefs: Beliefs | None, loss: str, weight: float, confidence: float) -> str:
    """A row for each predicted number: the model's probability, and what the losses charge."""
    rows = "".join(_row(point, beliefs, weight) for point in _near_truth(points))
    model = "<th>model</th>" if beliefs else ""
    return (
        f'<h3>If the prediction were ...</h3><div class="wide"><table id="losses"><thead><tr><th>number</th>{model}'
        f"<th>CE</th><th>NTL</th><th>CE + {weight:g} NTL</th></tr></thead><tbody>{rows}</tbody></table></div>"
        f'<p class="caption">Each row: a model that gives this number the probability {confidence:g} and shares the '
        "rest evenly among the others. The true one is bold. NTL: "
        f'<span id="loss-name">{escape(loss)}</span>.'
        + (" “model” is the probability that the small model gives it." if beliefs else "")
        + "</p>"
    )


def _row(point: Point, beliefs: Beliefs | None, weight: float) -> str:
    model = "" if beliefs is None else _share(beliefs.probs[point.value])
    losses = (point.ce, point.ntl, point.ce + weight * point.ntl)
    cells = "".join(f"<td>{_short(loss)}</td>" for loss in losses)
    true = ' class="true"' if point.is_true else ""
    return f'<tr{true} data-number="{point.value:g}"><th>{point.value:g}</th>{model}{cells}</tr>'


def _share(probability: float) -> str:
    return f'<td class="share"><i style="width:{100 * probability:.1f}%"></i><span>{probability:.3f}</span></td>'


def _short(loss: float) -> str:
    if abs(loss) < 1000:
        return f"{loss:.3f}"
    return f"{loss:,.0f}" if abs(loss) < 1e6 else f"{loss:.2e}"


def _near_truth(points: Sequence[Point]) -> list[Point]:
    """All points, or those around the true one and the two ends."""
    if len(points) <= _MOST_ROWS:
        return list(points)
    true = next(i for i, point in enumerate(points) if point.is_true)
    # Neighbours first, then ever further out.
    by_rank = sorted(range(len(points)), key=lambda i: abs(i - true))[: _MOST_ROWS - 2]
    return [points[i] for i in sorted({0, len(points) - 1, *by_rank})]
