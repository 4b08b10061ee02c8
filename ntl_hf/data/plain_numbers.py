"""Numbers in a text, written in one way."""

import re

# Digits only, ASCII: `\d` would match those of other scripts as well. A number that goes on is no group of three.
_SPACES = re.compile(r"(?<!\S)[$€£]?[0-9]{1,3}(?: [0-9]{3})+(?![0-9,])")
_COMMAS = re.compile(r"(?<![0-9,.])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9]|,[0-9])")
_BARE_POINT = re.compile(r"(?<![0-9.])\.(?=[0-9])")


def clean_numbers(text: str) -> str:
    """Write `1 250 000` and `1,250,000` as `1250000`, and `.5` as `0.5`.

    The number-cleaned form of GSM8K in the paper (arXiv 2411.02083, the authors' repository tum-ai/number-token-loss):
    it removes separators of thousands, so that digits stand together, and gives every decimal a digit before the
    point. The same three rules, applied where the number stands: the authors replace the found text everywhere, which
    makes `10.5` of a `1.5` in a text that has `.5` as well. As there, three digits after a space belong to the number
    before it: `20 300` is one.
    """
    text = _SPACES.sub(lambda found: found[0].replace(" ", ""), text)
    text = _COMMAS.sub(lambda found: found[0].replace(",", ""), text)
    return _BARE_POINT.sub("0.", text)
