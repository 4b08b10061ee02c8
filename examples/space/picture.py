"""The demo's pictures as SVG: what losses charge for each number that could be predicted."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from lens import Point

from ntl_hf.plots.landscape import DEFAULT_NAMES
from ntl_hf.plots.landscape import landscape as losses_of_certainty
from ntl_hf.plots.panels import COLORS

# The first line is cross entropy's.
_COLORS = ("var(--body-text-color)", *COLORS)
_DASHES = ("", "7 4", "2 3", "8 3 2 3")
_WIDTH, _PANEL, _LEFT, _RIGHT, _BOTTOM = 420, 195, 44, 12, 42
_LEGEND_COLUMNS, _LEGEND_WIDTH, _LEGEND_LINE = 3, 122, 19
_MOST_DOTS = 12
Spots = Sequence[tuple[float, float]]
Look = tuple[str, str, float]  # colour, dashes, width


@dataclass(frozen=True)
class _Frame:
    """Where values and losses lie in the picture; `top` is below the legend."""

    low: float
    high: float
    bottom: float
    peak: float
    top: int

    @property
    def height(self) -> int:
        return self.top + _PANEL + _BOTTOM

    def x(self, value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - self.low) / max(self.high - self.low, 1e-9)

    def y(self, loss: float) -> float:
        return self.top + _PANEL * (self.peak - loss) / max(self.peak - self.bottom, 1e-9)


def landscape(points: Sequence[Point], weight: float) -> str:
    """Cross entropy, the number loss with its weight, and both together, over the predicted number."""
    series = {
        "CE": [point.ce for point in points],
        f"{weight:g} NTL": [weight * point.ntl for point in points],
        f"CE + {weight:g} NTL": [point.ce + weight * point.ntl for point in points],
    }
    true = next(point.value for point in points if point.is_true)
    picture = _picture("landscape", [point.value for point in points], series, true, "loss")
    return f"<h3>The landscape</h3>{picture}"


def comparison(true: float) -> str:
    """The losses side by side for a true digit, from `ntl_hf.plots`; nothing where the true value is no digit."""
    if true not in range(10):
        return ""
    found = losses_of_certainty(DEFAULT_NAMES, int(true))
    series = {name.upper() if name == "ce" else name: [a / max(each) for a in each] for name, each in found.items()}
    picture = _picture("comparison", list(range(10)), series, true, "loss / its largest here")
    note = f"The model is certain of one digit, and {true:g} is true; each loss with its default settings."
    return f'<h3>Other losses</h3>{picture}<p class="caption">{note}</p>'


def _picture(name: str, values: Sequence[float], series: dict[str, list[float]], true: float, unit: str) -> str:
    losses = [loss for each in series.values() for loss in each]
    rows = -(-len(series) // _LEGEND_COLUMNS)
    frame = _Frame(min(values), max(values), min(0.0, *losses), max(1e-9, *losses), _LEGEND_LINE * rows + 12)
    parts = [_axes(frame, unit), _truth(frame, true)]
    for i, (label, each) in enumerate(series.items()):
        # Where lines lie on each other, the one below is wider.
        look = _COLORS[i % len(_COLORS)], _DASHES[i % len(_DASHES)], 1.8 + 0.4 * (len(series) - 1 - i)
        spots = [(frame.x(value), frame.y(loss)) for value, loss in zip(values, each, strict=True)]
        parts.append(_line(spots, look) + _legend(i, label, look))
    title = f"Losses for each predicted number; {true:g} is true"
    box = f'viewBox="0 0 {_WIDTH} {frame.height}" role="img" aria-label="{title}"'
    return f'<svg id="{name}" class="picture" {box}>{"".join(parts)}</svg>'


def _axes(frame: _Frame, unit: str) -> str:
    parts = []
    for loss in _ticks(frame.bottom, frame.peak, 5):
        at = f"{frame.y(loss):.1f}"
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at}" y2="{at}"/>')
        parts.append(_text(_LEFT - 6, frame.y(loss) + 4, f"{loss:g}", "end"))
    floor = frame.top + _PANEL
    for value in _ticks(frame.low, frame.high, 10):
        parts.append(_text(frame.x(value), floor + 17, f"{value:g}", "middle"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, frame.height - 6, "predicted number", "middle"))
    middle = frame.top + _PANEL / 2
    parts.append(f'<text transform="translate(11 {middle}) rotate(-90)" text-anchor="middle">{unit}</text>')
    return "".join(parts)


def _ticks(low: float, high: float, most: int) -> list[float]:
    """Round values between the two, at most `most` and one."""
    sizes = (size * 10.0**power for power in range(-9, 40) for size in (1, 2, 5))
    step = next(size for size in sizes if (high - low) / size <= most)
    first, last = -int(-low / step + 1e-9), int(high / step + 1e-9)
    return [round(i * step, 9) for i in range(first, last + 1)]


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _truth(frame: _Frame, true: float) -> str:
    x = f"{frame.x(true):.1f}"
    return f'<line class="truth" x1="{x}" x2="{x}" y1="{frame.top}" y2="{frame.top + _PANEL}"/>'


def _stroke(look: Look) -> str:
    color, dashes, width = look
    return f'stroke-width="{width}" stroke-dasharray="{dashes}" style="stroke:{color}"'


def _line(spots: Spots, look: Look) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
    # A thousand values would be one thick line of dots.
    dots = spots if len(spots) <= _MOST_DOTS else ()
    circles = (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" style="fill:{look[0]}"/>' for x, y in dots)
    return f'<polyline points="{path}" fill="none" {_stroke(look)}/>{"".join(circles)}'


def _legend(place: int, name: str, look: Look) -> str:
    x = _LEFT + place % _LEGEND_COLUMNS * _LEGEND_WIDTH
    y = 12 + place // _LEGEND_COLUMNS * _LEGEND_LINE
    return f'<line x1="{x}" x2="{x + 24}" y1="{y}" y2="{y}" {_stroke(look)}/>{_text(x + 29, y + 4, name)}'
