"""`Targets` of a micro-batch, and how those of a step are found again."""

import torch

from ntl_hf import NumberVocab
from ntl_hf.tokens.number_layout import NumberSyntax
from ntl_hf.tokens.targets import StepTargets, align_labels, make_targets, shift_labels

from ..tiny import char_tokenizer

TOKENIZER = char_tokenizer()
VOCAB = NumberVocab.from_tokenizer(TOKENIZER)
SYNTAX = NumberSyntax.from_tokenizer(TOKENIZER, VOCAB)
CPU = torch.device("cpu")


def labels_of(text: str) -> torch.Tensor:
    return torch.tensor([TOKENIZER.convert_tokens_to_ids(list(text))])


def test_labels_columns_and_layout_are_of_the_same_positions() -> None:
    labels = labels_of("a+12=3")
    labels[0, 0] = -100
    targets = make_targets(labels, VOCAB, SYNTAX)
    assert targets.labels is labels
    assert torch.equal(targets.columns, VOCAB.columns(labels))
    assert targets.number_labels.ne(-100).tolist() == [[False, False, True, True, False, True]]
    assert targets.layout is not None
    assert targets.layout.number.tolist() == [-1, -1, 2, 2, -1, 5]
    assert targets.watched_ids.tolist() == [*VOCAB.ids.tolist(), *SYNTAX.mark_ids.tolist()]
    part = targets.flat().select(slice(2, 4))
    assert part.columns.tolist() == VOCAB.columns(labels)[0, 2:4].tolist()
    assert part.layout is not None and part.layout.number.tolist() == [2, 2]


def test_without_a_syntax_there_is_no_layout() -> None:
    targets = make_targets(labels_of("1+2=3"), VOCAB)
    assert targets.layout is None and torch.equal(targets.watched_ids, VOCAB.ids)


def test_virtual_tokens_before_the_text_have_no_labels() -> None:
    targets = make_targets(labels_of("12=3"), VOCAB, SYNTAX)
    assert targets.fit(4, CPU) is targets
    longer = targets.fit(6, CPU)
    assert longer.labels.tolist() == [[-100, -100, *targets.labels[0].tolist()]]
    assert longer.layout is not None and longer.layout.number.tolist() == [-1, -1, 2, 2, -1, 5]
    assert torch.equal(longer.columns, VOCAB.columns(longer.labels))


def test_the_last_virtual_token_predicts_the_first_label() -> None:
    labels = labels_of("12")
    assert align_labels(labels, 4, shift=True).tolist() == [[-100, *labels[0].tolist(), -100]]
    assert shift_labels(labels).tolist() == [[labels[0, 1].item(), -100]]


def remembered(*labels: torch.Tensor) -> StepTargets:
    step = StepTargets()
    step.remember(labels, [make_targets(each, VOCAB) for each in labels])
    return step


def test_targets_are_found_by_the_tensor_they_were_made_of_once() -> None:
    first, second = labels_of("1+2=3"), labels_of("1+2=3")
    step = remembered(first, second)
    found = step.take(second)
    assert found is not None and found.labels is second
    assert step.take(second) is None  # released with its micro-batch
    assert step.take(first.clone()) is None  # as it is after a move to another device
    assert step.take(first) is not None


def test_what_was_written_over_has_other_targets() -> None:
    labels = labels_of("1+2=3")
    step = remembered(labels)
    labels[0, 0] = -100
    assert step.take(labels) is None


def test_labels_of_inference_mode_are_looked_up_again() -> None:
    with torch.inference_mode():
        labels = labels_of("1+2=3")
        assert remembered(labels).take(labels) is None


def test_a_step_forgets_the_one_before() -> None:
    labels = labels_of("1+2=3")
    step = remembered(labels)
    step.remember([], [])
    assert step.take(labels) is None
