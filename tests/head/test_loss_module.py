"""`NTLoss`: equal to the peer's package where the two agree on what a number is, and sound where that one is not."""

import copy
import math
from functools import cache
from typing import Any

import ntloss
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from loguru import logger
from torch import Tensor
from torch.nn import functional as F

from ntl_hf import NTLoss
from ntl_hf.settings.losses import LOSSES
from ntl_hf.tokens.targets import shift_labels
from tests.tiny import CHARACTERS, char_tokenizer

logger.disable("ntloss")

# The tokens of several digits are numbers for both packages; they disagree about `1e3`, `1_0` and `٣` only.
TOKENS = [*CHARACTERS, "10", "12", "345", "2024"]
VOCAB_SIZE = len(char_tokenizer(TOKENS))
SETTINGS: dict[str, dict[str, Any]] = {
    "was": {"loss": "was"},
    "was, squashed by 2": {"loss": "was", "squash_factor": 2.0},
    "was, squashed by 5": {"loss": "was", "squash_factor": 5.0},
    "mse": {"loss": "mse"},
    "mae": {"loss": "mae"},
    "huber": {"loss": "huber"},
}


def _huber(predicted: Tensor, true: Tensor, reduction: str = "mean") -> Tensor:
    # torch cannot differentiate its Huber loss where the two dtypes differ, as the peer has them.
    return F.huber_loss(predicted, true.to(predicted.dtype), reduction=reduction)


PEER_LOSSES = {"mse": F.mse_loss, "mae": F.l1_loss, "huber": _huber}
REDUCTIONS = ["mean", "sum", "none"]


@cache
def ours(name: str, digits_only: bool, reweigh: bool) -> NTLoss:
    return NTLoss(char_tokenizer(TOKENS), digits_only=digits_only, reweigh=reweigh, **SETTINGS[name])


@cache
def peers(name: str, digits_only: bool, reweigh: bool) -> Any:
    settings = SETTINGS[name]
    # A tokenizer of its own: `digit_level=True` adds tokens to it.
    common = {"tokenizer": char_tokenizer(TOKENS), "digit_level": digits_only, "reweigh": reweigh}
    if settings["loss"] == "was":
        return ntloss.NTLoss(**common, squash_factor=settings.get("squash_factor"))
    return ntloss.NTLossDotProduct(**common, loss_function=PEER_LOSSES[settings["loss"]])


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor | None]:
    """Logits `[B, T, V]` in float64, labels with numbers, text and -100, and weights, some of them 0."""
    batch, length = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    label = st.one_of(
        st.just(-100), st.integers(0, VOCAB_SIZE - 1), st.integers(4, 13), st.integers(VOCAB_SIZE - 4, VOCAB_SIZE - 1)
    )
    labels = torch.tensor(draw(st.lists(label, min_size=batch * length, max_size=batch * length))).view(batch, length)
    torch.manual_seed(draw(st.integers(0, 2**31)))
    logits = torch.randn(batch, length, VOCAB_SIZE, dtype=torch.float64) * draw(st.sampled_from([0.3, 1.0, 4.0]))
    kind = draw(st.sampled_from(["none", "random", "some zero"]))
    weights = (
        None if kind == "none" else torch.rand(batch, length) * (torch.rand(batch, length) > (kind == "some zero") / 2)
    )
    return logits, labels, weights


def value_and_gradient(loss: Any, logits: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """The loss and the gradient of its sum, weighed by position where it is not reduced."""
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, *args, **kwargs)
    factors = torch.linspace(0.5, 1.5, value.numel(), dtype=value.dtype).view(value.shape)
    if value.requires_grad:
        (value * factors).sum().backward()
    # The peer returns a constant where there is no number.
    return value.detach(), torch.zeros_like(logits) if logits.grad is None else logits.grad


def random_batch(batch: int = 2, length: int = 5, vocab_size: int = VOCAB_SIZE) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    labels = torch.randint(4, 14, (batch, length))
    labels[:, 0], labels[0, 1] = -100, 20
    return torch.randn(batch, length, vocab_size), labels


# The peer


@pytest.mark.parametrize("digits_only", [True, False])
@pytest.mark.parametrize("reweigh", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
@settings(max_examples=20)
@given(batch=batches(), reduction=st.sampled_from(REDUCTIONS), dtype=st.sampled_from([torch.float64, torch.float32]))
def test_equals_the_peer_in_value_and_gradient(
    name: str,
    reweigh: bool,
    digits_only: bool,
    batch: tuple[Tensor, Tensor, Tensor | None],
    reduction: str,
    dtype: torch.dtype,
) -> None:
    logits, labels, weights = batch[0].to(dtype), *batch[1:]
    mine, peer = ours(name, digits_only, reweigh), peers(name, digits_only, reweigh)
    value, gradient = value_and_gradient(mine, logits, labels, weights, reduction)
    expected, expected_gradient = value_and_gradient(peer, logits, labels, weights, reduction)
    assert value.dtype == dtype
    # Numbers near each other make a small difference of large ones: rounding is in proportion to the largest loss.
    relative = 1e-6 if dtype == torch.float32 else 1e-14
    close = {"rtol": relative, "atol": relative * float(mine.number_loss.terms[0].largest)}
    torch.testing.assert_close(value, expected, **close)
    torch.testing.assert_close(gradient, expected_gradient, **close)


@pytest.mark.parametrize("digits_only", [True, False])
def test_predicted_numbers_equal_the_peers(digits_only: bool) -> None:
    logits, _ = random_batch()
    expected = peers("mse", digits_only, False).predict_numbers(logits)
    torch.testing.assert_close(ours("mse", digits_only, False).predict_numbers(logits), expected)


# Where the peer fails


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("labels", [[[20, 21, -100]], [[-100, -100, -100]]], ids=["text", "nothing"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_batch_without_numbers_is_a_zero_that_can_be_backpropagated(
    name: str, labels: list[list[int]], reduction: str
) -> None:
    logits = torch.randn(1, 3, VOCAB_SIZE, requires_grad=True)
    loss = ours(name, True, True)(logits, torch.tensor(labels), reduction=reduction)
    assert loss.eq(0).all()
    assert loss.shape == ((1, 3) if reduction == "none" else ())
    loss.sum().backward()
    assert logits.grad.eq(0).all()


@pytest.mark.parametrize("name", SETTINGS)
def test_logits_wider_than_the_tokenizer(name: str) -> None:
    logits, labels = random_batch(vocab_size=VOCAB_SIZE + 7)
    loss = ours(name, True, False)
    torch.testing.assert_close(loss(logits, labels), loss(logits[..., :VOCAB_SIZE], labels))
    # The mass that padding takes is mass outside the numbers.
    padded, narrow = (ours(name, True, True)(part, labels) for part in (logits + 2, logits[..., :VOCAB_SIZE]))
    assert padded > narrow
    padding_label = torch.full_like(labels, VOCAB_SIZE + 3)
    assert loss(logits, padding_label) == 0


def test_the_tokenizer_is_not_changed() -> None:
    tokenizer = char_tokenizer(TOKENS)
    before = copy.deepcopy((tokenizer.get_vocab(), tokenizer.added_tokens_decoder))
    NTLoss(tokenizer)
    assert (tokenizer.get_vocab(), tokenizer.added_tokens_decoder) == before


@pytest.mark.parametrize("reweigh", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_bfloat16_logits_are_summed_in_float32(name: str, reweigh: bool) -> None:
    logits, labels = random_batch(4, 50)
    half = logits.bfloat16()
    exact, exact_gradient = value_and_gradient(ours(name, True, reweigh), half.double(), labels)
    plain, plain_gradient = value_and_gradient(peers(name, True, reweigh), half, labels)
    value, gradient = value_and_gradient(ours(name, True, reweigh), half, labels)
    assert value.dtype == torch.float32
    assert gradient.dtype == torch.bfloat16
    assert (value - exact).abs() <= min((plain - exact).abs(), 1e-5 * exact)
    # What is left is the rounding of the gradient itself: half a unit in the last of 8 bits.
    error, plain_error = ((g.double() - exact_gradient).abs() for g in (gradient, plain_gradient))
    assert (error <= 2**-8 * exact_gradient.abs() + 1e-7 * exact_gradient.abs().max()).all()
    assert error.norm() <= plain_error.norm()


@pytest.mark.parametrize("reweigh", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_impossible_tokens_leave_value_and_gradient_finite(name: str, reweigh: bool) -> None:
    logits, labels = random_batch()
    logits[..., 30:] = -math.inf
    logits[..., 9:12] = -math.inf
    labels[(labels >= 9) & (labels < 14)] = 8
    value, gradient = value_and_gradient(ours(name, True, reweigh), logits, labels)
    assert value.isfinite() and value > 0
    assert gradient.isfinite().all()
    assert gradient[..., 9:12].eq(0).all() and gradient.abs().max() > 0


# Shifting, ignoring, devices


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_shift_is_manual_shifting(name: str, weighted: bool, reduction: str) -> None:
    logits, labels = random_batch()
    weights = torch.rand(labels.shape) if weighted else None
    loss = ours(name, True, True)
    shifted = value_and_gradient(loss, logits, labels, weights, reduction, shift=True)
    cut = None if weights is None else weights[:, 1:]
    value, gradient = value_and_gradient(loss, logits[:, :-1], labels[:, 1:], cut, "sum")
    if reduction == "none":
        assert shifted[0][:, -1].eq(0).all()
        torch.testing.assert_close(shifted[0].sum(), value)
        return
    count = (
        1 if reduction == "sum" else ((labels[:, 1:] >= 4) & (labels[:, 1:] < 14)).mul(1 if cut is None else cut).sum()
    )
    torch.testing.assert_close(shifted[0], value / count)
    torch.testing.assert_close(shifted[1], F.pad(gradient / count, (0, 0, 0, 1)))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("reweigh", [False, True])
def test_with_cross_entropy(reweigh: bool, shift: bool, inplace: bool) -> None:
    torch.manual_seed(0)
    leaf, labels = torch.randn(2, 7, 64, requires_grad=True), torch.randint(64, (2, 7))
    labels[0, :3], labels[1, 2:6] = 9, torch.tensor([4, 5, 6, 9])
    loss = NTLoss(char_tokenizer(), reweigh=reweigh)
    ce, ntl = loss.with_cross_entropy(leaf * 1, labels, ignore_index=9, shift=shift, inplace=inplace)
    found = torch.autograd.grad(ce + 0.3 * ntl, leaf)[0]
    logits, aligned = (leaf[:, :-1], labels[:, 1:]) if shift else (leaf, labels)
    wanted_ce = F.cross_entropy(logits.flatten(0, 1), aligned.flatten(), ignore_index=9)
    wanted_ntl = loss(logits, aligned, ignore_index=9)
    torch.testing.assert_close((ce, ntl), (wanted_ce, wanted_ntl))
    torch.testing.assert_close(found, torch.autograd.grad(wanted_ce + 0.3 * wanted_ntl, leaf)[0])


def test_with_cross_entropy_does_not_overwrite_a_leaf() -> None:
    leaf = torch.randn(1, 2, 64, requires_grad=True)
    with pytest.raises(ValueError, match="are a leaf, and would be lost"):
        NTLoss(char_tokenizer()).with_cross_entropy(leaf, torch.tensor([[5, 6]]), inplace=True)
    # Evaluation has no backward pass that could write.
    before = leaf.detach().clone()
    NTLoss(char_tokenizer()).with_cross_entropy(leaf.detach(), torch.tensor([[5, 6]]), inplace=True)
    assert torch.equal(leaf, before)


def test_with_cross_entropy_of_nothing_is_zero() -> None:
    leaf = torch.randn(1, 2, 64, requires_grad=True)
    ce, ntl = NTLoss(char_tokenizer()).with_cross_entropy(leaf, torch.full((1, 2), -100))
    (ce + ntl).backward()
    assert ce == ntl == 0 and leaf.grad.eq(0).all()


def test_shift_labels() -> None:
    assert shift_labels(torch.tensor([[1, 2, 3], [4, -100, 6]])).tolist() == [[2, 3, -100], [-100, 6, -100]]


@pytest.mark.parametrize("ignore_index", [-1, 0, 7, 999])
def test_custom_ignore_index(ignore_index: int) -> None:
    logits, labels = random_batch()
    custom = labels.masked_fill((labels == -100) | (labels == 7), ignore_index)
    loss = ours("was", True, False)
    expected = loss(logits, labels.masked_fill(labels == 7, -100), reduction="none")
    assert torch.equal(loss(logits, custom, reduction="none", ignore_index=ignore_index), expected)
    assert expected.sum() > 0
    # The given labels are the caller's.
    assert (custom == ignore_index).any()


@pytest.mark.parametrize("dtype", [torch.int64, torch.float64, torch.bool])
def test_weights_of_any_dtype(dtype: torch.dtype) -> None:
    logits, labels = random_batch()
    weights = torch.randint(0, 2, labels.shape)
    loss = ours("was", True, False)
    value = loss(logits, labels, weights.to(dtype))
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(logits, labels, weights.float()))


def test_lp_and_huber_take_their_settings() -> None:
    logits, labels = random_batch()
    for special, general in [({"loss": "lp", "p": 2.0}, {"loss": "mse"}), ({"loss": "lp", "p": 1.0}, {"loss": "mae"})]:
        pair = [NTLoss(char_tokenizer(TOKENS), **settings)(logits, labels) for settings in (special, general)]
        torch.testing.assert_close(*pair)
    # Beyond any error, Huber is half of the square.
    wide = NTLoss(char_tokenizer(TOKENS), loss="huber", huber_delta=100.0)(logits, labels)
    torch.testing.assert_close(2 * wide, ours("mse", True, False)(logits, labels))


# Beyond the paper

NEW = ["crps", "energy", "mmd", "smmd", "dist2", "del", "raft", "number", "crps:0.5+number:0.1", "was+raft:2"]


@pytest.mark.parametrize("name", NEW)
def test_other_losses_shifted_and_reduced(name: str) -> None:
    """Shifting moves labels and weights, and a mean is over number tokens; what reads text reads the labels given."""
    logits, labels = random_batch(3, 9)
    loss, weights = NTLoss(char_tokenizer(TOKENS), loss=name), torch.rand(labels.shape)
    each = loss(logits, labels, reduction="none", shift=True)
    assert each.shape == labels.shape and each[:, -1].eq(0).all() and each.isfinite().all()
    aligned = loss(logits, shift_labels(labels), reduction="none")
    assert torch.equal(each, aligned)
    count = ((labels[:, 1:] >= 4) & (labels[:, 1:] < 14)).sum()
    torch.testing.assert_close(loss(logits, labels, shift=True), each.sum() / count)
    torch.testing.assert_close(loss(logits, labels, reduction="sum", shift=True), each.sum())
    moved = F.pad(weights[:, 1:], (0, 1)) * (shift_labels(labels) >= 4) * (shift_labels(labels) < 14)
    torch.testing.assert_close(loss(logits, labels, weights, shift=True), (each * moved).sum() / moved.sum())
    _, with_ce = loss.with_cross_entropy(logits, labels, shift=True)
    torch.testing.assert_close(with_ce, each.sum() / count)
    value, gradient = value_and_gradient(loss, logits, torch.full_like(labels, 20))
    assert value == 0 and gradient.eq(0).all()


@pytest.mark.parametrize("name", NEW)
def test_impossible_tokens_in_other_losses(name: str) -> None:
    logits, labels = random_batch()
    logits[..., 30:] = -math.inf
    logits[..., 9:12] = -math.inf
    labels[(labels >= 9) & (labels < 14)] = 8
    if name == "dist2":  # asks for what is impossible
        logits = logits.clamp_min(-1e4)
    value, gradient = value_and_gradient(NTLoss(char_tokenizer(TOKENS), loss=name), logits, labels)
    assert value.isfinite() and gradient.isfinite().all()


def test_a_sum_is_the_sum_of_its_terms() -> None:
    logits, labels = random_batch()
    tokenizer = char_tokenizer(TOKENS)
    parts = {name: NTLoss(tokenizer, loss=name)(logits, labels) for name in ("crps", "number", "raft", "was")}
    found = NTLoss(tokenizer, loss="crps:0.5+number:0.1+was")(logits, labels)
    torch.testing.assert_close(found, 0.5 * parts["crps"] + 0.1 * parts["number"] + parts["was"])
    found = NTLoss(tokenizer, loss="raft+crps")(logits, labels)
    torch.testing.assert_close(found, parts["raft"] + parts["crps"])


# Predicted numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_predicted_numbers(dtype: torch.dtype) -> None:
    tokenizer = char_tokenizer(TOKENS)
    logits = torch.full((1, 2, VOCAB_SIZE), -math.inf)
    three, seven, letter = tokenizer.convert_tokens_to_ids(["3", "7", "a"])
    logits[0, 0, [three, seven, letter]] = torch.tensor([0.25, 0.25, 0.5]).log()
    logits[0, 1, seven] = 0.0
    logits = logits.to(dtype).requires_grad_()
    value, mass = NTLoss(tokenizer).predict_numbers(logits)
    assert value.dtype == mass.dtype == torch.float32
    assert not value.requires_grad and not mass.requires_grad
    tolerance = {"rtol": 0, "atol": 1e-6 if dtype == torch.float32 else 5e-3}
    torch.testing.assert_close(value, torch.tensor([[5.0, 7.0]]), **tolerance)
    torch.testing.assert_close(mass, torch.tensor([[0.5, 1.0]]), **tolerance)


@pytest.mark.parametrize("offset", [0.0, 200.0])
def test_the_number_mass_of_bfloat16_logits_is_summed_in_float32(offset: float) -> None:
    # The logarithm of a sum near 200 is off by up to 1/2 in bfloat16.
    logits = (random_batch()[0] + offset).bfloat16()
    value, mass = ours("was", True, False).predict_numbers(logits)
    exact = peers("mse", True, False).predict_numbers(logits.double())
    torch.testing.assert_close((value.double(), mass.double()), exact, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("outside", [-1e4, 0.0])
def test_predicted_numbers_stay_in_range(outside: float) -> None:
    torch.manual_seed(0)
    logits = torch.randn(20, 50, VOCAB_SIZE) * 5
    logits[..., :4] = logits[..., 14:] = outside
    value, mass = ours("was", True, False).predict_numbers(logits)
    assert ((value >= 0) & (value <= 9)).all()
    assert ((mass >= 0) & (mass <= 1)).all()


# Nothing at all


@pytest.mark.parametrize("shift", [False, True])
@pytest.mark.parametrize("shape", [(0, 5), (3, 0), (0, 0)])
@pytest.mark.parametrize("loss", [*LOSSES, "was:0.5+number:0.1"])
def test_a_batch_without_rows_or_positions_is_0(loss: str, shape: tuple[int, int], shift: bool) -> None:
    terms = {"place_weights": "ntil"} if loss not in ("raft", "del", "number") else {}
    for options in ({}, terms, {"gaussian_sigma": 1.0} if loss != "dist2" else {}):
        ntl = NTLoss(char_tokenizer(TOKENS), loss=loss, **options)
        labels = torch.zeros(shape, dtype=torch.int64)
        logits = torch.randn(*shape, VOCAB_SIZE, requires_grad=True)
        parts = [ntl(logits, labels, reduction=reduction, shift=shift) for reduction in REDUCTIONS]
        parts.append(ntl(logits, labels, loss_weights=torch.ones(shape), shift=shift))
        parts += ntl.with_cross_entropy(logits, labels, shift=shift)
        assert [part.shape for part in parts] == [(), (), shape, (), (), ()]
        for part in parts:
            assert part.sum() == 0
            gradient = torch.autograd.grad(part.sum(), logits, retain_graph=True)[0]
            assert gradient.shape == logits.shape
        assert [part.shape for part in ntl.predict_numbers(logits)] == [shape, shape]


# Bad input

LABELS = torch.full((2, 3), 5)
LOGITS = torch.zeros(2, 3, VOCAB_SIZE)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"logits": LOGITS.long()}, TypeError, "`logits` must be floating point, not torch.int64"),
        ({"labels": LABELS.int()}, TypeError, "`labels` must be int64 token ids, not torch.int32"),
        ({"labels": LABELS.float()}, TypeError, "`labels` must be int64"),
        ({"logits": LOGITS[0]}, ValueError, r"\[B, T, V\].*got \(3, \d+\) and \(2, 3\)"),
        ({"labels": LABELS[:, :2]}, ValueError, r"got \(2, 3, \d+\) and \(2, 2\)"),
        ({"labels": LABELS[0]}, ValueError, r"and \(3,\)"),
        ({"loss_weights": torch.ones(2, 2)}, ValueError, r"`loss_weights`.*\(2, 3\); got \(2, 2\)"),
        ({"loss_weights": torch.tensor([[1.0, 1, 1], [1, -0.1, 1]])}, ValueError, "`loss_weights` must be 0 or more"),
        ({"labels": LABELS.clone().fill_(VOCAB_SIZE)}, ValueError, f"has {VOCAB_SIZE}, outside.*-100"),
        ({"labels": LABELS.clone().fill_(-1)}, ValueError, "has -1, outside"),
        ({"labels": LABELS.clone().fill_(-100), "ignore_index": -1}, ValueError, "has -100, outside.*Use -1 "),
        ({"reduction": "average"}, ValueError, "'average'.*mean, sum, none"),
        ({"logits": LOGITS[..., :10]}, ValueError, r"10 logits, too few.*'6', '7'.*resize_token_embeddings"),
    ],
)
def test_bad_input(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ours("was", True, False)(**{"logits": LOGITS, "labels": LABELS, **arguments})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "wass"}, "'wass'.*Did you mean 'was'"),
        ({"loss": "MSE"}, "'MSE'.*Did you mean 'mse'"),
        ({"loss": "cross entropy"}, "Choose one of: was, mse, mae, huber, lp, crps"),
        ({"squash_factor": math.nan}, "`squash_factor` is nan"),
        ({"squash_factor": 1.0}, "`squash_factor` is 1.0.*above 1"),
        ({"loss": "mse", "squash_factor": 2.0}, "'mse' has none"),
        ({"loss": "lp", "p": 0.5}, "`p` is 0.5.*1 or more"),
        ({"loss": "lp", "p": math.inf}, "`p` is inf.*finite"),
        ({"loss": "crps+wsa"}, "at character 6: 'wsa' is unknown. Did you mean 'was'"),
        ({"loss": "crps", "reweigh": True}, "`reweigh` is for losses with a largest value"),
        ({"loss": "raft", "raft_grid": [1, 10]}, "`raft_grid`: 10 is no number token"),
        ({"balance": "loss"}, "`balance` is for the trainers"),
        ({"loss": "huber", "huber_delta": 0.0}, "`huber_delta` is 0.0.*above 0"),
        ({"loss": "huber", "huber_delta": -math.nan}, "`huber_delta` is nan"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NTLoss(char_tokenizer(), **settings)


def test_no_number_tokens() -> None:
    with pytest.raises(ValueError, match="add_digit_tokens"):
        NTLoss(char_tokenizer("abc"))
