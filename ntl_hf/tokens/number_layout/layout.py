"""`NumberLayout`: where each token stands in its number, and what that number is worth."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class NumberLayout:
    """One entry a label, `[N]` for N labels in the order of the text.

    A number has i digits before its point; its values are in units of 10^i, below 1 whatever its length, float32.

    Attributes:
        number: index among the N of the first token of its number, int64; -1 outside of numbers.
        is_first: whether the token is the first of its number, bool.
        kind: what the token is (`Kind`), int64.
        width: digits of the token, int64; 0 for signs, points and commas.
        value: the token's own value, float32; 0 for signs, points and commas.
        digits_before: digits of the number before this token, int64.
        whole_digits: i, digits of the number before its point, int64.
        fraction_digits: digits of the number after its point, int64.
        in_fraction: whether the token stands after the point, bool.
        is_negative: whether the number has a minus sign, bool.
        prefix: what stands before the token, as far as it has been read, with its places in the whole number.
        whole: what stands before the point.
        total: all of it, without its sign.
        is_readable: whether the number is made of number tokens alone: not next to digits that are none, bool.
    """

    number: Tensor
    is_first: Tensor
    kind: Tensor
    width: Tensor
    value: Tensor
    digits_before: Tensor
    whole_digits: Tensor
    fraction_digits: Tensor
    in_fraction: Tensor
    is_negative: Tensor
    prefix: Tensor
    whole: Tensor
    total: Tensor
    is_readable: Tensor

    @property
    def place(self) -> Tensor:
        """Decimal place of the last digit of each token, `[N]`, int64: 0 for units, -1 for tenths; 0 off numbers."""
        place = self.whole_digits - self.digits_before - self.width
        return place.masked_fill(self.number < 0, 0)

    @property
    def is_alone(self) -> Tensor:
        """Whether the token is all of its number, `[N]`, bool."""
        is_whole = (self.whole_digits == self.width) & (self.fraction_digits == 0)
        return (self.number >= 0) & is_whole & ~self.is_negative & self.is_readable

    def select(self, rows: Tensor | slice) -> "NumberLayout":
        """Some of the entries; `number` still counts among all."""
        return NumberLayout(*(entries[rows] for entries in self.tensors()))

    def tensors(self) -> list[Tensor]:
        """All of it, in the order of the attributes."""
        return list(vars(self).values())
