"""The form that questions and answers take, the same in all sets."""


def question_and_answer(question: str, answer: str) -> dict[str, str]:
    """`prompt` ("Question: ...\\nAnswer:") and `completion`, which starts with the space between the two."""
    return {"prompt": f"Question: {question}\nAnswer:", "completion": f" {answer}"}
