"""`head_from_logits`: values and gradients of plain autograd in float64, with one gradient of the logits' size."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ntl_hf import NTLConfig, NumberVocab
from ntl_hf.head import head_from_logits
from ntl_hf.head.one_pass import block
from ntl_hf.losses import NumberLoss
from ntl_hf.losses.head_output import HeadOutput
from ntl_hf.tokens.targets import make_targets, shift_labels

from ..tiny import char_tokenizer

VOCAB = NumberVocab.from_tokenizer(char_tokenizer())
SIZE = 70
FIELDS = ("log_probs", "number_logits", "log_mass", "mean_log_probs")


def batch(dtype: torch.dtype = torch.float32, scale: float = 3.0) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    labels = torch.randint(SIZE, (3, 7))
    labels[0, :3], labels[1, 2:5] = -100, torch.tensor([4, 13, 8])
    return (scale * torch.randn(3, 7, SIZE)).to(dtype).requires_grad_(), labels


def reference(logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """The same outputs by `log_softmax` of everything."""
    log_probs, has_label = logits.log_softmax(-1), labels != -100
    label_log_probs = log_probs.gather(-1, labels.clamp_min(0).unsqueeze(-1)).squeeze(-1)
    return {
        "log_probs": label_log_probs.where(has_label, 0.0),
        "number_logits": logits[..., VOCAB.ids],
        "log_mass": log_probs[..., VOCAB.ids].logsumexp(-1).where(VOCAB.columns(labels) >= 0, 0.0),
        "mean_log_probs": log_probs.mean(-1).where(has_label, 0.0),
    }


def objective(outputs: dict[str, Tensor], labels: Tensor) -> Tensor:
    """A scalar to which each output contributes with factors of its own, at labelled positions only."""
    generator = torch.Generator().manual_seed(1)
    total = torch.zeros((), dtype=torch.float64)
    for output in outputs.values():
        factors = torch.randn(output.shape, generator=generator, dtype=torch.float64)
        mask = (labels != -100).view(*labels.shape, *[1] * (output.ndim - labels.ndim))
        total = total + output.where(mask, 0.0).double().mul(factors).sum()
    return total


def gradient(outputs: dict[str, Tensor], labels: Tensor, logits: Tensor) -> Tensor:
    return torch.autograd.grad(objective(outputs, labels), logits)[0]


def fields_of(head: HeadOutput, names: Any = FIELDS) -> dict[str, Tensor]:
    return {name: getattr(head, name) for name in names}


@pytest.mark.parametrize("names", [FIELDS, FIELDS[:3], *((name,) for name in FIELDS)], ids=["all", "no mean", *FIELDS])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_values_and_gradients_are_those_of_log_softmax(dtype: torch.dtype, tolerance: float, names: Any) -> None:
    logits, labels = batch(dtype)
    exact = logits.detach().double().requires_grad_()
    expected = {name: value for name, value in reference(exact, labels).items() if name in names}
    outputs = fields_of(
        head_from_logits(logits, make_targets(labels, VOCAB), mean_log_probs="mean_log_probs" in names), names
    )
    for name, output in outputs.items():
        assert output.dtype == dtype
        torch.testing.assert_close(output.double(), expected[name], rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(
        gradient(outputs, labels, logits).double(), gradient(expected, labels, exact), rtol=tolerance, atol=tolerance
    )


def test_finite_differences() -> None:
    logits, labels = batch(torch.float64, scale=1.0)
    logits = logits[:2, 1:4].detach().requires_grad_()
    labels = labels[:2, 1:4]

    def function(logits: Tensor) -> Tensor:
        return objective(fields_of(head_from_logits(logits, make_targets(labels, VOCAB), mean_log_probs=True)), labels)

    assert torch.autograd.gradcheck(function, (logits,))


def test_label_smoothing_is_that_of_torch() -> None:
    logits, labels = batch()
    head = head_from_logits(logits, make_targets(labels, VOCAB), mean_log_probs=True)
    losses = -(0.9 * head.log_probs + 0.1 * head.mean_log_probs)[head.label_mask]
    expected = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), label_smoothing=0.1)
    torch.testing.assert_close(losses.mean(), expected)


def test_masks_and_columns() -> None:
    logits, labels = batch()
    head = head_from_logits(logits, make_targets(labels, VOCAB))
    assert head.mean_log_probs is None
    assert torch.equal(head.label_mask, labels != -100)
    assert torch.equal(head.target, VOCAB.columns(labels))
    assert head.target[1, 2:5].tolist() == [0, 9, 4]
    assert head.log_probs[0, :3].eq(0).all()
    assert (head.log_mass <= 0).all()


def test_shift_by_hand() -> None:
    assert shift_labels(torch.tensor([[5, 6, -100, 7]])).tolist() == [[6, -100, 7, -100]]


def test_shift() -> None:
    logits, labels = batch()
    shifted = head_from_logits(logits, make_targets(shift_labels(labels), VOCAB))
    expected = head_from_logits(logits[:, :-1], make_targets(labels[:, 1:], VOCAB))
    for name in ("log_probs", "label_mask", "target", "number_logits", "log_mass"):
        assert torch.equal(getattr(shifted, name)[:, :-1], getattr(expected, name))
    assert not shifted.label_mask[:, -1].any()


@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_positions_without_a_label_have_no_gradient_whatever_they_hold(bad: float) -> None:
    clean, labels = batch()
    dirty = clean.detach().masked_fill((labels == -100).unsqueeze(-1), bad).requires_grad_()
    gradients = []
    for logits in (clean, dirty):
        head = head_from_logits(logits, make_targets(labels, VOCAB), mean_log_probs=True)
        assert head.log_probs.isfinite().all() and head.mean_log_probs.isfinite().all()
        gradients.append(gradient(fields_of(head), labels, logits))
    assert torch.equal(*gradients)
    assert gradients[1][labels == -100].eq(0).all()
    assert gradients[1][labels != -100].ne(0).any()


def test_tokens_that_are_ruled_out_have_no_gradient() -> None:
    logits, labels = batch()
    ruled_out = logits.detach().clone()
    ruled_out[..., 5], ruled_out[..., 40] = -math.inf, -math.inf
    labels[(labels == 5) | (labels == 40)] = -100
    ruled_out.requires_grad_()
    head = head_from_logits(ruled_out, make_targets(labels, VOCAB))
    result = gradient(fields_of(head, ("log_probs", "log_mass")), labels, ruled_out)
    assert result.isfinite().all()
    assert result[..., [5, 40]].eq(0).all()
    assert result[..., 6].ne(0).any()


@pytest.mark.parametrize("elements", [1, SIZE, 2 * SIZE + 1, 7 * SIZE, 10**9])
def test_chunks_do_not_change_the_result(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    logits, labels = batch()
    results = []
    for limit in (block._CPU_ELEMENTS, elements):
        monkeypatch.setattr(block, "_CPU_ELEMENTS", limit)
        outputs = fields_of(head_from_logits(logits, make_targets(labels, VOCAB), mean_log_probs=True))
        results.append([*outputs.values(), gradient(outputs, labels, logits)])
    for whole, chunked in zip(*results, strict=True):
        torch.testing.assert_close(chunked, whole, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_read_in_float32(dtype: torch.dtype) -> None:
    logits, labels = batch(dtype)
    exact = logits.detach().double().requires_grad_()
    outputs, expected = (
        fields_of(head_from_logits(logits, make_targets(labels, VOCAB), mean_log_probs=True)),
        reference(exact, labels),
    )
    for name, output in outputs.items():
        assert output.dtype == torch.float32
        torch.testing.assert_close(output.double(), expected[name], rtol=1e-5, atol=1e-5)
    result, exact_result = gradient(outputs, labels, logits), gradient(expected, labels, exact)
    assert result.dtype == dtype
    # Worked out in float32 and rounded once at the end.
    torch.testing.assert_close(result.double(), exact_result, rtol=torch.finfo(dtype).eps, atol=1e-5)


def test_a_head_that_is_not_trained_costs_nothing() -> None:
    logits, labels = batch()
    head = head_from_logits(logits.detach(), make_targets(labels, VOCAB))
    assert not head.log_probs.requires_grad and not head.log_mass.requires_grad


def test_strided_logits() -> None:
    logits, labels = batch()
    wide = torch.cat([logits.detach(), torch.zeros(3, 2, SIZE)], dim=1).requires_grad_()
    outputs = fields_of(head_from_logits(wide[:, :7], make_targets(labels, VOCAB), mean_log_probs=True))
    expected = fields_of(head_from_logits(logits, make_targets(labels, VOCAB), mean_log_probs=True))
    torch.testing.assert_close(outputs, expected)
    torch.testing.assert_close(gradient(outputs, labels, wide)[:, :7], gradient(expected, labels, logits))


class LargeBuffers(TorchDispatchMode):
    """Counts the tensors of at least `numel` elements that operations make, views left aside."""

    def __init__(self, numel: int) -> None:
        super().__init__()
        self.numel = numel
        # Kept alive: the memory of a freed one could come back as another.
        self.storages: dict[int, Any] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        outputs = func(*args, **(kwargs or {}))
        for output in outputs if isinstance(outputs, (tuple, list)) else [outputs]:
            if isinstance(output, Tensor) and output.untyped_storage().nbytes() >= self.numel * output.element_size():
                self.storages[output.untyped_storage().data_ptr()] = output.untyped_storage()
        return outputs


def large_buffers_of_backward(outputs: dict[str, Tensor], labels: Tensor, logits: Tensor) -> int:
    loss = objective(outputs, labels)
    with LargeBuffers(logits.numel()) as made:
        torch.autograd.grad(loss, logits)
    return len(set(made.storages) - {logits.untyped_storage().data_ptr()})


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_place_the_gradient_takes_the_place_of_the_logits(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block, "_CPU_ELEMENTS", 2 * SIZE)
    found = []
    for inplace in (False, True):
        leaf, labels = batch(dtype)
        logits = leaf * 1
        outputs = fields_of(
            head_from_logits(logits, make_targets(labels, VOCAB), mean_log_probs=True, inplace=inplace)
        )
        assert large_buffers_of_backward(outputs, labels, logits) == (0 if inplace else 1)
        logits = leaf * 1
        outputs = fields_of(
            head_from_logits(logits, make_targets(labels, VOCAB), mean_log_probs=True, inplace=inplace)
        )
        found.append(gradient(outputs, labels, leaf))
    assert torch.equal(*found)


def test_in_place_on_logits_that_autograd_looks_at_is_an_error() -> None:
    leaf, labels = batch()
    logits = leaf.tanh()  # saves its result
    outputs = fields_of(head_from_logits(logits, make_targets(labels, VOCAB), inplace=True), FIELDS[:3])
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        gradient(outputs, labels, leaf)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_backward_makes_a_single_gradient_of_the_size_of_the_logits(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(block, "_CPU_ELEMENTS", 2 * SIZE)
    logits, labels = batch(dtype)
    outputs = fields_of(head_from_logits(logits, make_targets(labels, VOCAB), mean_log_probs=True))
    assert large_buffers_of_backward(outputs, labels, logits) == 1
    # What plain autograd makes of the same: the count is one that can go wrong.
    assert large_buffers_of_backward(reference(logits, labels), labels, logits) > 3


def test_forward_makes_no_copy_of_the_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block, "_CPU_ELEMENTS", 2 * SIZE)
    logits, labels = batch(torch.bfloat16)
    with LargeBuffers(logits.numel()) as made:
        head_from_logits(logits, make_targets(labels, VOCAB), mean_log_probs=True)
    assert set(made.storages) <= {logits.untyped_storage().data_ptr()}


def test_number_logits_of_minus_infinity_at_a_word_leave_no_nan() -> None:
    """A constrained decoder may rule all numbers out where a word has to come; reweighing looks at the mass there."""
    logits, labels = batch()
    words = (VOCAB.columns(labels) < 0) & (labels != -100)
    is_number = torch.zeros(SIZE, dtype=torch.bool).index_fill(0, VOCAB.ids, True)
    logits = logits.detach().masked_fill(words.unsqueeze(-1) & is_number, -math.inf).requires_grad_()
    head = head_from_logits(logits, make_targets(labels, VOCAB))
    loss = NumberLoss(NTLConfig(reweigh=True), VOCAB.values)(head.number_logits, head.target, head.log_mass).sum()
    (loss - head.log_probs.sum()).backward()
    assert logits.grad.isfinite().all() and logits.grad.abs().sum() > 0
