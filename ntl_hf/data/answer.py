"""The final answer in a text, and its numbers in the form of the paper's GSM8K; needs no library of data sets."""

import re

# The paper's rules for GSM8K, which differ from the grammar of `number_text` on purpose: three digits after a space
# belong to the number before it, where an answer of `20 300` is unreadable. Digits only, ASCII: `\d` would match those
# of other scripts as well. A number that goes on is no group of three.
_SPACES = re.compile(r"(?<!\S)[$€£]?[0-9]{1,3}(?: [0-9]{3})+(?![0-9,])")
_COMMAS = re.compile(r"(?<![0-9,.])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9]|,[0-9])")
_BARE_POINT = re.compile(r"(?<![0-9.])\.(?=[0-9])")


def final_answer(text: str, mark: str | None = None) -> str | None:
    """What follows the first `mark`, to the end of its line; without a mark, the whole text.

    The first, and only the line: a model that has not learnt where to stop goes on with another question and its
    answer.

    Args:
        text: a completion, true or generated.
        mark: such as `####`; None where the completion is the answer.

    Returns:
        The stripped answer, which may be empty; None where the mark is missing.
    """
    if mark is None:
        return text.strip()
    _, found, after = text.partition(mark)
    return (after.strip().splitlines() or [""])[0].strip() if found else None


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
