"""The scan that finds numbers in rows of tokens: cumulative sums, without a loop and without reading values back.

The grammar is that of plain decimals in `number_text`, as far as tokens show it: digits; a point between digits,
unless there are two (`1.2.3` is three numbers), or before the first of them after a space; a comma before exactly
three digits and after one to three; a minus where no operand stands before it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from .kinds import Kind
from .layout import NumberLayout

# 10^-k for more digits is 0 in float32 anyway.
_MOST_DIGITS = 300
# By their values: `torch.compile` takes the comparison of a tensor with a member of an enum for `False`.
_OPERANDS = tuple(kind.value for kind in (Kind.DIGITS, Kind.POINT, Kind.MINUS, Kind.OPERAND, Kind.OPAQUE))


@dataclass(frozen=True)
class TokenRow:
    """Tokens in the order of the text, `[N]`: rows of `length` one after the other.

    Attributes:
        kind: `Kind`, int64.
        begins: whether there is a space before the token, bool.
        width: digits of a number token, int64; 0 for others.
        value: value of a number token, float32; 0 for others.
        length: of a row.
    """

    kind: Tensor
    begins: Tensor
    width: Tensor
    value: Tensor
    length: int

    def before(self, x: Tensor, at_start: int = 0) -> Tensor:
        """The entry of the token before, `[N]`."""
        return F.pad(self._rows(x)[:, :-1], (1, 0), value=at_start).reshape(-1)

    def after(self, x: Tensor) -> Tensor:
        """The entry of the token after, `[N]`; 0 at the end of a row."""
        return F.pad(self._rows(x)[:, 1:], (0, 1)).reshape(-1)

    def _rows(self, x: Tensor) -> Tensor:
        return x.view(-1, max(1, self.length))


@dataclass(frozen=True)
class _Joints:
    """Points and commas that belong to a number, `[N]`, bool each."""

    point: Tensor
    leading_point: Tensor
    comma: Tensor

    @property
    def any(self) -> Tensor:
        return self.point | self.leading_point | self.comma


def scan(row: TokenRow) -> NumberLayout:
    """Find the numbers in rows of tokens."""
    is_digits = row.kind == Kind.DIGITS.value
    joints = _joints(row, is_digits)
    is_sign, starts = _starts(row, is_digits, joints)
    is_member = is_digits | joints.any | is_sign
    last_start = torch.where(starts, torch.arange(len(starts), device=starts.device), -1).cummax(0).values
    number = torch.where(is_member, last_start, -1)
    return _measure(row, number, joints.point | joints.leading_point, is_sign)


def _joints(row: TokenRow, is_digits: Tensor) -> _Joints:
    continues = is_digits & ~row.begins  # the text goes on with a digit
    starts = is_digits & (row.begins | ~row.before(is_digits))
    ends = is_digits & ~row.after(continues)
    # Runs of digits; a joint stands between the last run that has begun and the next.
    begun = starts.cumsum(0)
    left, right = (begun - 1).clamp_min(0), begun.clamp_max(len(begun) - 1)
    between = row.before(is_digits) & row.after(continues) & ~row.begins
    point, comma = (between & (row.kind == kind.value) for kind in (Kind.POINT, Kind.COMMA))
    previous = row.before(row.kind, Kind.NONE.value)
    is_open = (
        row.begins | (previous == Kind.NONE.value) | (previous == Kind.SPACE.value) | (previous == Kind.MINUS.value)
    )
    leading = (row.kind == Kind.POINT.value) & row.after(continues) & is_open
    digits = _sum_by(left, row.width)
    after_point = _sum_by(left, starts & row.before(point | leading)) > 0
    before_point = _sum_by(left, ends & row.after(point)) > 0
    return _Joints(
        point=point & ~after_point[left] & ~before_point[right],
        leading_point=leading & ~before_point[right],
        comma=comma & ~after_point[left] & (digits[left] <= 3) & (digits[right] == 3),
    )


def _starts(row: TokenRow, is_digits: Tensor, joints: _Joints) -> tuple[Tensor, Tensor]:
    """Which tokens are signs of a number, and which begin one."""
    starts_run = is_digits & (row.begins | ~row.before(is_digits))
    unsigned = joints.leading_point | (starts_run & ~row.before(joints.any))
    previous = row.before(row.kind, Kind.NONE.value)
    is_free = row.begins | ~torch.isin(previous, torch.tensor(_OPERANDS, device=previous.device))
    is_sign = (row.kind == Kind.MINUS.value) & row.after(unsigned & ~row.begins) & is_free
    return is_sign, is_sign | (unsigned & ~row.before(is_sign))


def _measure(row: TokenRow, number: Tensor, is_point: Tensor, is_sign: Tensor) -> NumberLayout:
    is_member, first = number >= 0, number.clamp_min(0)
    points, digits = is_point.cumsum(0), row.width.cumsum(0)
    in_fraction = is_member & (points > (points - is_point.long())[first])
    digits_before = (digits - row.width) - (digits - row.width)[first]
    places = torch.pow(10.0, -(digits_before + row.width).clamp(0, _MOST_DIGITS).to(_double(row.value)))
    worth = torch.where(is_member, row.value * places, 0.0)

    def of_number(x: Tensor) -> Tensor:
        return _sum_by(first, x * is_member)[first]

    touches_opaque = _touches_opaque(row)
    return NumberLayout(
        number=number,
        is_first=number == torch.arange(len(number), device=number.device),
        kind=row.kind,
        width=row.width,
        value=row.value,
        digits_before=digits_before,
        whole_digits=of_number(row.width * ~in_fraction),
        fraction_digits=of_number(row.width * in_fraction),
        in_fraction=in_fraction,
        is_negative=of_number(is_sign) > 0,
        prefix=_sum_before(worth, first).float(),
        whole=of_number(worth * ~in_fraction).float(),
        total=of_number(worth).float(),
        is_readable=is_member & (of_number(touches_opaque) == 0),
    )


def _touches_opaque(row: TokenRow) -> Tensor:
    is_opaque = row.kind == Kind.OPAQUE.value
    is_mark = (row.kind == Kind.POINT.value) | (row.kind == Kind.COMMA.value)
    touches = _is_next_to(row, is_opaque)
    # Also with a point or comma in between: `3.145`, where `145` is one token.
    return touches | _is_next_to(row, is_mark & touches)


def _is_next_to(row: TokenRow, x: Tensor) -> Tensor:
    return (row.before(x) & ~row.begins) | row.after(x & ~row.begins)


def _sum_before(x: Tensor, first: Tensor) -> Tensor:
    """Sum over the tokens of the same number before each."""
    before = x.cumsum(0) - x
    return (before - before[first]).clamp_min(0)


def _sum_by(group: Tensor, x: Tensor) -> Tensor:
    """Sums over the entries of each group, `[N]` for groups 0 to N - 1."""
    x = x.long() if x.dtype == torch.bool else x
    return torch.zeros_like(x).index_add_(0, group, x)


def _double(x: Tensor) -> torch.dtype:
    # The sums of a whole batch are taken apart again. Apple's devices have no float64.
    return torch.float32 if x.device.type == "mps" else torch.float64
