"""The final answer in a text that a model has written."""


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
