"""One loss for a whole number: the expected value that its tokens write together.

Beyond the paper; the errors measured are those of NTIL's sequence level (Fei et al., arXiv 2505.13077): relative
deviation and order of magnitude.

A token's distribution says what else could stand in its place. With u_t(c) the number that the text reads with token
t replaced by c, and y the true one,

    E = y + sum_t sum_c p_t(c) (u_t(c) - y)

is the expected number: exactly for independent digits, and to first order where a token changes the length of the
number or the place of its point. A perfect prediction gives E = y exactly, since every difference is 0 at c = t.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..tokens.number_layout.kinds import Kind
from ..tokens.number_layout.layout import NumberLayout
from .number_losses import number_probs

# The gradient multiplies a difference (`_LARGEST`), one over the unit of the last place and the factor of the loss,
# which has to stay within float32 (3.4e38): also a probability of 0 times infinity is NaN.
_MOST_PLACES, _LARGEST = 16, 1e16


def expected_errors(
    logits: Tensor, layout: NumberLayout, widths: Tensor, values: Tensor, mark_kinds: Tensor
) -> Tensor:
    """E - y of the number of each token, `[n]`, in units of 10^i for i digits before the point; 0 off numbers.

    Args:
        logits: of number tokens and marks, `[n, D + F]`.
        layout: of the same n tokens, all of those that were scanned.
        widths: digits of each number token, `[D]`.
        values: value of each, `[D]`.
        mark_kinds: kind of each mark (`Kind`), `[F]`.
    """
    is_member = layout.number >= 0
    # A NaN off the numbers would come back in the gradient.
    probs = number_probs(logits.masked_fill(~is_member.unsqueeze(-1), 0.0))
    differences = torch.cat([_digit_differences(layout, widths, values), _mark_differences(layout)[:, mark_kinds]], 1)
    errors = (probs * differences.clamp(-_LARGEST, _LARGEST).to(probs.dtype)).sum(-1).masked_fill(~is_member, 0.0)
    number = layout.number.clamp_min(0)
    return torch.zeros_like(errors).index_add(0, number, errors)[number].masked_fill(~is_member, 0.0)


def relative_error(error: Tensor, layout: NumberLayout) -> Tensor:
    """|E - y| / max(|E|, |y|, one unit of the last place), `[n]`: 0 to 1 for one sign, at most 2."""
    true = _signed_total(layout)
    unit = _power(-(layout.whole_digits + layout.fraction_digits), error.dtype)
    scale = torch.maximum(torch.maximum((true + error).abs(), true.abs()), unit)
    return error.abs() / scale


def log_error(error: Tensor, layout: NumberLayout) -> Tensor:
    """|f(E) - f(y)|, f(x) = sign(x) log(1 + |x| / one unit of the last place), `[n]`, nats."""
    true = _signed_total(layout)
    units = _power(layout.whole_digits + layout.fraction_digits, error.dtype)
    return (_signed_log((true + error) * units) - _signed_log(true * units)).abs()


def absolute_error(error: Tensor, layout: NumberLayout) -> Tensor:
    """|E - y|, `[n]`, in units of the numbers; those of more than 16 digits count as if they had 16."""
    return error.abs() * _power(layout.whole_digits, error.dtype)


NUMBER_ERRORS: dict[str, Callable[[Tensor, NumberLayout], Tensor]] = {
    "relative": relative_error,
    "log": log_error,
    "absolute": absolute_error,
}


def _digit_differences(layout: NumberLayout, widths: Tensor, values: Tensor) -> Tensor:
    """u - y, `[n, D]`, with each token replaced by each number token; in the unit of the layout."""
    width, value = layout.width.unsqueeze(1), layout.value.unsqueeze(1)
    before, whole = layout.digits_before.unsqueeze(1), layout.whole_digits.unsqueeze(1)
    prefix, total = layout.prefix.unsqueeze(1), layout.total.unsqueeze(1)
    rest = total - prefix - value * _power(-(before + width))
    # Before the point, longer tokens move what stands before them up.
    in_whole = prefix * (_power(widths - width) - 1) + (values - value) * _power(-(before + width))
    # After it, they move what follows down.
    own = values * _power(-(before + widths)) - value * _power(-(before + width))
    in_fraction = own + rest * (_power(width - widths) - 1)
    # Without the point, what follows it belongs to the whole.
    fraction = layout.fraction_digits.unsqueeze(1)
    for_point = prefix * _power(widths + fraction) + values * _power(fraction - whole) + rest * _power(fraction)
    kind = layout.kind.unsqueeze(1)
    differences = torch.where(layout.in_fraction.unsqueeze(1), in_fraction, in_whole)
    differences = torch.where(kind == Kind.POINT, for_point - total, differences)
    differences = differences * _sign(layout).unsqueeze(1)
    # Without its sign the number is positive, with one more token before it.
    return torch.where(kind == Kind.MINUS, values + 2 * total, differences)


def _mark_differences(layout: NumberLayout) -> Tensor:
    """u - y, `[n, kinds]`, with each token replaced by a mark of each kind; 0 for kinds that are no marks."""
    before, whole, total = layout.digits_before, layout.whole_digits, layout.total
    own = layout.value * _power(-(before + layout.width))
    ends_fraction = layout.in_fraction | (layout.kind == Kind.POINT)
    # The number ends before the token.
    ended = torch.where(ends_fraction, layout.prefix, layout.prefix * _power(before - whole))
    rest_of_whole = layout.whole - layout.prefix - own
    pointed = layout.prefix * _power(before - whole) + rest_of_whole * _power(before + layout.width - whole)
    pointed = torch.where(ends_fraction, layout.prefix, pointed)
    sign, is_sign = _sign(layout), layout.kind == Kind.MINUS
    differences = total.new_zeros(len(total), len(Kind))
    differences[:, Kind.POINT] = torch.where(is_sign, pointed + total, (pointed - total) * sign)
    rest = torch.where(layout.kind == Kind.POINT, total * _power(layout.fraction_digits), total - own)
    minus = torch.where(layout.is_first, -rest - total, (ended - total) * sign)
    differences[:, Kind.MINUS] = minus.masked_fill(is_sign, 0.0)
    # A separator changes no value, unless it stands where there is none.
    comma = torch.where(is_sign, ended + total, (ended - total) * sign)
    differences[:, Kind.COMMA] = torch.where(ends_fraction | is_sign, comma, 0.0)
    # What stands there already.
    return differences.masked_fill(layout.kind.unsqueeze(1) == torch.arange(len(Kind), device=total.device), 0.0)


def _sign(layout: NumberLayout) -> Tensor:
    return 1 - 2 * layout.is_negative.float()


def _signed_total(layout: NumberLayout) -> Tensor:
    return _sign(layout) * layout.total


def _signed_log(x: Tensor) -> Tensor:
    return x.sign() * x.abs().log1p()


def _power(exponent: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """10 to some whole number, -16 to 16."""
    return torch.pow(10.0, exponent.clamp(-_MOST_PLACES, _MOST_PLACES).to(dtype))
