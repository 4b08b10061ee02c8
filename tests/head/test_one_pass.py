"""`one_pass`: values and gradients of plain autograd on full logits in float64, for labelled positions alone."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from trl.kernels import ChunkedLogProbFunction

from ntl_hf import NTLConfig, NumberVocab
from ntl_hf.head import head_from_logits
from ntl_hf.head.one_pass import HeadPlan, block, one_pass, register_plan, run
from ntl_hf.head.one_pass.block import cross_entropies
from ntl_hf.head.transform import LogitTransform
from ntl_hf.losses import GaussianSmoothing, NumberLoss, gaussian_targets
from ntl_hf.losses.head_output import HeadOutput
from ntl_hf.tokens.number_layout import NumberSyntax
from ntl_hf.tokens.targets import Targets, make_targets

from ..tiny import char_tokenizer

VOCAB = NumberVocab.from_tokenizer(char_tokenizer())
SYNTAX = NumberSyntax.from_tokenizer(char_tokenizer(), VOCAB)
POSITIONS, WIDTH, SIZE = 21, 16, 70
CONFIGS = {
    "was": NTLConfig(),
    "was reweighed": NTLConfig(reweigh=True),
    "was squashed": NTLConfig(squash_factor=2.0),
    "mse": NTLConfig(loss="mse"),
    "mae reweighed": NTLConfig(loss="mae", reweigh=True),
    "huber": NTLConfig(loss="huber", huber_delta=0.5),
    "lp": NTLConfig(loss="lp", p=1.5),
    "was, soft targets": NTLConfig(gaussian_sigma=1.0),
    "was reweighed, soft targets": NTLConfig(reweigh=True, gaussian_sigma=0.7),
    "mse, soft targets": NTLConfig(loss="mse", gaussian_sigma=2.0),
    "crps": NTLConfig(loss="crps"),
    "energy": NTLConfig(loss="energy", energy_beta=1.5),
    "mmd": NTLConfig(loss="mmd"),
    "smmd": NTLConfig(loss="smmd"),
    "dist2": NTLConfig(loss="dist2", dist2_temperature=0.5),
    "del": NTLConfig(loss="del"),
    "raft": NTLConfig(loss="raft"),
    "raft on a grid": NTLConfig(loss="raft:0.5", raft_grid=[1, 2, 3, 5, 8]),
    "number": NTLConfig(loss="number"),
    "number, log": NTLConfig(loss="number", number_error="log"),
    "number, absolute": NTLConfig(loss="number:0.01", number_error="absolute"),
    "sum": NTLConfig(loss="crps:0.5+number:0.1"),
    "sum, place weights": NTLConfig(loss="was:0.5+del:0.01+number:0.1", place_weights="ntil", place_base=1.5),
    "was, place weights": NTLConfig(place_weights="del"),
    "was reweighed, place weights": NTLConfig(reweigh=True, place_weights="ntil"),
    "raft and soft targets": NTLConfig(loss="raft:0.5+was:1", gaussian_sigma=1.0),
}
TRANSFORMS = {
    "none": LogitTransform(),
    "scaled": LogitTransform(scale=0.25),
    "capped": LogitTransform(softcap=2.0),
    "scaled and capped": LogitTransform(scale=3.0, softcap=5.0),
}


def plan_of(
    config: NTLConfig | None = None, transform: LogitTransform = TRANSFORMS["none"], **options: Any
) -> HeadPlan:
    config = config or NTLConfig()
    soft_targets = gaussian_targets(VOCAB.values, VOCAB.forms, config.gaussian_sigma)
    is_smooth = config.gaussian_sigma > 0
    reads_text = config.reads_text
    columns = (SYNTAX.widths, SYNTAX.mark_kinds) if reads_text else ()
    number_loss = NumberLoss(config, VOCAB.values, soft_targets if is_smooth else None, *columns)
    more = {
        "uses_mass": config.reweigh or "raft" in number_loss.names,
        "smoothing": GaussianSmoothing(soft_targets) if is_smooth else None,
    }
    return HeadPlan(VOCAB, number_loss, transform, **more, **options)


def targets_of(labels: Tensor, plan: HeadPlan) -> Targets:
    """With a layout where one of the terms looks at it."""
    number_loss = plan.number_loss
    reads_text = number_loss.place_weights != "none" or bool({"del", "raft", "number"} & set(number_loss.names))
    return make_targets(labels, plan.vocab, SYNTAX if reads_text else None)


TEXT_IDS = char_tokenizer().convert_tokens_to_ids(list("-1,234.5 "))


def batch(dtype: torch.dtype = torch.float64, masked: int = 5, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Hidden states, weight, bias and labels, a third of them numbers."""
    torch.manual_seed(seed)
    labels = torch.where(
        torch.rand(POSITIONS) < 0.4, torch.randint(4, 14, (POSITIONS,)), torch.randint(SIZE, (POSITIONS,))
    )
    # A number with all its marks, a single digit, and one at the end.
    labels[:9] = torch.tensor(TEXT_IDS)
    labels[-2:] = torch.tensor([5, 9])
    labels[torch.randperm(POSITIONS)[:masked]] = -100
    parts = (torch.randn(POSITIONS, WIDTH), 0.5 * torch.randn(SIZE, WIDTH), torch.randn(SIZE))
    hidden, weight, bias = (part.to(dtype).requires_grad_() for part in parts)
    return hidden, weight, bias, labels


def reference(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, labels: Tensor, plan: HeadPlan, sum_weight: float | None
) -> tuple[Tensor, HeadOutput]:
    """The slow honest way: all logits, and autograd through all of it."""
    logits = plan.transform(F.linear(hidden, weight, bias))
    targets = targets_of(labels, plan)
    head = head_from_logits(logits, targets, mean_log_probs=True, metrics=True)
    loss = cross_entropies(head.log_probs, head.mean_log_probs, plan).sum()
    if plan.dft:
        loss = -(head.log_probs.exp().detach() * head.log_probs).sum()
    watched = head.number_logits
    if targets.syntax is not None:  # written out: the logits of the marks after those of the numbers
        watched = logits[:, [*plan.vocab.ids.tolist(), *targets.syntax.mark_ids.tolist()]]
    losses = plan.number_loss(watched, head.target, head.log_mass, head.layout)
    head.number_losses = losses
    if plan.smoothing is not None:
        loss = loss + plan.smoothing(head.number_logits, head.target).sum()
    return loss if sum_weight is None else loss + sum_weight * losses.sum(), head


def pass_of(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    labels: Tensor,
    plan: HeadPlan,
    sum_weight: float | None = None,
) -> tuple[Tensor, HeadOutput]:
    return one_pass(hidden, weight, bias, targets_of(labels, plan), plan, sum_weight)


def gradients(loss: Tensor, inputs: Any) -> list[Tensor]:
    return list(torch.autograd.grad(loss, [x for x in inputs if x is not None and x.requires_grad]))


def check_against_reference(
    plan: HeadPlan, inputs: Any, sum_weight: float | None = 0.75, tolerance: float = 1e-9
) -> None:
    hidden, weight, bias, labels = inputs
    exact = [None if x is None else x.detach().double().requires_grad_(x.requires_grad) for x in inputs[:3]]
    wanted_loss, wanted = reference(*exact, labels, plan, sum_weight)
    loss, found = pass_of(hidden, weight, bias, labels, plan, sum_weight)
    torch.testing.assert_close(loss.double(), wanted_loss, rtol=tolerance, atol=tolerance)
    for name in ("log_probs", "number_logits", "log_mass", "number_losses", "entropy"):
        value, exact_value = getattr(found, name), getattr(wanted, name)
        if name == "number_logits":  # nothing is projected where there is no label
            exact_value = exact_value.where(wanted.label_mask.unsqueeze(-1), 0.0)
        assert not value.requires_grad
        torch.testing.assert_close(value.double(), exact_value.detach(), rtol=tolerance, atol=tolerance)
    for name in ("label_mask", "target", "is_top1"):
        assert torch.equal(getattr(found, name), getattr(wanted, name)), name
    for grad, exact_grad in zip(gradients(loss, (hidden, weight, bias)), gradients(wanted_loss, exact), strict=True):
        torch.testing.assert_close(grad.double(), exact_grad, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("config", CONFIGS)
def test_values_and_gradients(config: str, transform: str, with_bias: bool) -> None:
    hidden, weight, bias, labels = batch()
    plan = plan_of(CONFIGS[config], TRANSFORMS[transform], metrics=True)
    check_against_reference(plan, (hidden, weight, bias if with_bias else None, labels))


def test_soft_targets_without_a_number_loss() -> None:
    check_against_reference(plan_of(NTLConfig(gaussian_sigma=1.0), metrics=True), batch(), sum_weight=None)


@pytest.mark.parametrize("options", [{"label_smoothing": 0.1}, {"dft": True}], ids=["label smoothing", "dft"])
@pytest.mark.parametrize("sum_weight", [None, 0.0, 3.0])
def test_other_forms_of_cross_entropy(options: dict[str, Any], sum_weight: float | None) -> None:
    check_against_reference(plan_of(metrics=True, **options), batch(), sum_weight)


@pytest.mark.parametrize("config", ["was reweighed", "sum, place weights", "raft on a grid"])
@settings(max_examples=40)
@given(
    masked=st.integers(0, POSITIONS), seed=st.integers(0, 99), rows=st.integers(1, 30), block_rows=st.integers(1, 30)
)
def test_any_mask_any_chunks(config: str, masked: int, seed: int, rows: int, block_rows: int) -> None:
    """Chunks and blocks cut numbers anywhere, and must not change what these are worth."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_CHUNK_BYTES", rows * SIZE * 8)
        patch.setattr(block, "_CPU_ELEMENTS", block_rows * SIZE)
        plan = plan_of(CONFIGS[config], LogitTransform(softcap=3.0), metrics=True)
        check_against_reference(plan, batch(masked=masked, seed=seed), tolerance=1e-8)


@pytest.mark.parametrize("config", ["was", "sum, place weights", "raft"])
def test_float32(config: str) -> None:
    check_against_reference(plan_of(CONFIGS[config], metrics=True), batch(torch.float32), tolerance=2e-5)


@pytest.mark.parametrize("config", ["number", "sum, place weights"])
def test_rows_are_read_for_themselves(config: str) -> None:
    """As `[B, T]`, a number ends with its row; the same labels in one row are other numbers."""
    hidden, weight, _, labels = batch(masked=0)
    plan = plan_of(CONFIGS[config])
    values = []
    for shape in ((3, 7), (21,)):
        loss, head = pass_of(hidden.view(*shape, WIDTH), weight, None, labels.view(shape), plan, 1.0)
        rows = [slice(i, i + shape[-1]) for i in range(0, 21, shape[-1])]
        alone = [pass_of(hidden[row], weight, None, labels[row], plan, 1.0) for row in rows]
        torch.testing.assert_close(loss, sum(part[0] for part in alone))
        found = torch.cat([part[1].number_losses for part in alone])
        torch.testing.assert_close(head.number_losses.flatten(), found)
        assert head.layout is not None and head.layout.number.shape == (21,)
        values.append(found)
    assert not torch.allclose(*values)


@pytest.mark.parametrize("config", ["sum, place weights", "raft"])
def test_as_an_operator_of_a_compiled_graph(config: str) -> None:
    hidden, weight, bias, labels = batch()
    plan = plan_of(CONFIGS[config], metrics=True)
    register_plan(plan)
    torch.compiler.reset()

    targets = targets_of(labels, plan)

    def loss_of(*inputs: Tensor) -> Tensor:
        return one_pass(*inputs, targets, plan, 0.75)[0]

    compiled = torch.compile(loss_of, backend="aot_eager", fullgraph=True)
    inputs = (hidden, weight, bias)
    # The plain one first: it reads the tables, as the trainers' check of the head does.
    wanted, found = (function(*inputs) for function in (loss_of, compiled))
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(gradients(found, inputs), gradients(wanted, inputs))


@pytest.mark.parametrize("config", ["was reweighed", "sum, place weights", "raft"])
def test_finite_differences(config: str) -> None:
    hidden, weight, bias, labels = batch()
    plan = plan_of(CONFIGS[config], LogitTransform(scale=0.5, softcap=4.0), label_smoothing=0.1)

    inputs = (hidden, weight, bias)
    found = gradients(pass_of(*inputs, labels, plan, 0.75)[0], inputs)
    for i, grad in enumerate(found):
        step = 1e-5 * torch.randn_like(grad)
        up, down = (
            pass_of(*(x + sign * step if x is inputs[i] else x for x in inputs), labels, plan, 0.75)[0].detach()
            for sign in (1, -1)
        )
        torch.testing.assert_close((up - down) / 2, (grad * step).sum(), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("frozen", [(0,), (1, 2), (0, 2), (0, 1)])
def test_frozen_parts_get_no_gradient(frozen: tuple[int, ...]) -> None:
    inputs = list(batch())
    for i in frozen:
        inputs[i] = inputs[i].detach()
    check_against_reference(plan_of(metrics=True), inputs)


def test_without_gradients_nothing_is_kept() -> None:
    hidden, weight, bias, labels = batch()
    with torch.no_grad():
        loss, head = pass_of(hidden, weight, bias, labels, plan_of(), 1.0)
    assert not loss.requires_grad and loss.grad_fn is None
    torch.testing.assert_close(loss, pass_of(hidden, weight, bias, labels, plan_of(), 1.0)[0].detach())
    assert head.entropy is None and head.mean_log_probs is None


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_positions_without_a_label_are_never_looked_at(bad: float) -> None:
    hidden, weight, bias, labels = batch()
    dirty = hidden.detach().masked_fill((labels == -100).unsqueeze(-1), bad).requires_grad_()
    found = []
    for states in (hidden, dirty):
        loss, _ = pass_of(states, weight, bias, labels, plan_of(), 1.0)
        found.append([loss, *gradients(loss, (states, weight, bias))])
    assert all(torch.equal(*pair) for pair in zip(*found, strict=True))


def test_shapes_and_no_labels_at_all() -> None:
    hidden, weight, _, labels = batch()
    _, head = pass_of(hidden.view(3, 7, WIDTH), weight, None, labels.view(3, 7), plan_of(metrics=True), 1.0)
    assert head.log_probs.shape == head.entropy.shape == (3, 7)
    assert head.number_logits.shape == (3, 7, len(VOCAB))
    empty, _ = pass_of(hidden, weight, None, torch.full_like(labels, -100), plan_of(), 1.0)
    assert empty == 0
    assert all(grad.eq(0).all() for grad in gradients(empty, (hidden, weight)))


@pytest.mark.parametrize("shape", [(0, 5), (3, 0)])
@pytest.mark.parametrize("config", CONFIGS)
def test_no_positions(config: str, shape: tuple[int, int]) -> None:
    hidden, weight = torch.randn(*shape, WIDTH, requires_grad=True), torch.randn(SIZE, WIDTH, requires_grad=True)
    labels = torch.zeros(shape, dtype=torch.int64)
    loss, head = pass_of(hidden, weight, None, labels, plan_of(CONFIGS[config]), 0.75)
    assert loss == 0 and head.number_logits.shape == (*shape, len(VOCAB))
    assert all(not gradient.any() for gradient in gradients(loss, (hidden, weight)))


def test_metrics_are_those_of_trl() -> None:
    hidden, weight, bias, labels = batch(torch.float32, masked=0)
    hidden.data[3:9] *= 5  # confident in something
    labels[3:9] = F.linear(hidden, weight, bias)[3:9].argmax(-1)
    _, head = pass_of(hidden, weight, bias, labels, plan_of(metrics=True))
    fields = ("log_probs", "entropy", "is_top1")
    theirs = ChunkedLogProbFunction.apply(hidden, weight, bias, labels, 1.0, 32, None, 1.0, fields)
    torch.testing.assert_close(head.log_probs, theirs[0].detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(head.entropy, theirs[1].detach(), rtol=1e-5, atol=1e-5)
    assert torch.equal(head.is_top1, theirs[4].bool()) and 0 < head.is_top1.sum() < POSITIONS


@pytest.mark.parametrize("reweigh", [False, True])
def test_autocast_concerns_the_products_alone(reweigh: bool) -> None:
    """The values are those of the rounded logits, worked out in float32."""
    hidden, weight, bias, labels = batch(torch.float32)
    plan = plan_of(NTLConfig(reweigh=reweigh), metrics=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = F.linear(hidden, weight, bias)
        _, found = pass_of(hidden, weight, bias, labels, plan, 1.0)
        from_logits = head_from_logits(logits, make_targets(labels, VOCAB), metrics=True)
    wanted = head_from_logits(logits.double(), make_targets(labels, VOCAB), metrics=True)
    for name in ("log_probs", "log_mass", "entropy"):
        for head in (found, from_logits):
            torch.testing.assert_close(getattr(head, name).double(), getattr(wanted, name), rtol=1e-5, atol=1e-5)
    losses = plan.number_loss(wanted.number_logits, wanted.target, wanted.log_mass)
    torch.testing.assert_close(found.number_losses.double(), losses, rtol=1e-5, atol=1e-5)


def plain_gradients(inputs: Any, plan: HeadPlan, autocast: torch.dtype | None) -> list[Tensor]:
    """What the model itself would do: a projection in its dtype, and the loss on float32 logits."""
    hidden, weight, bias, labels = inputs
    with torch.autocast("cpu", dtype=autocast, enabled=autocast is not None):
        logits = F.linear(hidden, weight, bias)
    log_probs = logits.float().log_softmax(-1)
    labelled = labels != -100
    ce = F.nll_loss(log_probs[labelled], labels[labelled], reduction="sum")
    target = VOCAB.columns(labels)
    losses = plan.number_loss(logits.float()[:, VOCAB.ids], target, log_probs[:, VOCAB.ids].logsumexp(-1))
    return gradients(ce + 0.75 * losses.sum(), inputs[:3])


def worst(found: list[Tensor], exact: list[Tensor]) -> list[float]:
    return [float((a.double() - b).norm() / b.norm()) for a, b in zip(found, exact, strict=True)]


@pytest.mark.parametrize("masters", [False, True], ids=["half weights", "float32 weights under autocast"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_no_worse_than_the_plain_path(dtype: torch.dtype, masters: bool) -> None:
    """As in Cut Cross-Entropy's tests: errors against float64 are bounded by those of the model's own way."""
    found, plain = [], []
    plan = plan_of(NTLConfig(reweigh=True))
    for seed in range(20):
        inputs = batch(torch.float32 if masters else dtype, seed=seed)
        if masters:
            inputs[0].data = inputs[0].data.to(dtype).float()
        exact = [x.detach().double().requires_grad_() for x in inputs[:3]]
        wanted = gradients(reference(*exact, inputs[3], plan, 0.75)[0], exact)
        with torch.autocast("cpu", dtype=dtype, enabled=masters):
            loss, _ = pass_of(*inputs, plan, 0.75)
        result = gradients(loss, inputs[:3])
        assert [grad.dtype for grad in result] == [x.dtype for x in inputs[:3]]
        found.append(worst(result, wanted))
        plain.append(worst(plain_gradients(inputs, plan, dtype if masters else None), wanted))
    for ours, theirs in zip(torch.tensor(found).mean(0), torch.tensor(plain).mean(0), strict=True):
        assert ours <= 1.05 * theirs


def test_the_loss_scale_of_float16_arrives_in_the_gradient() -> None:
    """1 / tokens of a large step is lost in float16, unless the loss scale undoes it before rounding."""
    hidden, weight, bias, labels = batch(torch.float16)
    exact = [x.detach().double().requires_grad_() for x in (hidden, weight, bias)]
    scale = 2.0**16 / 1e6
    loss, _ = pass_of(hidden, weight, bias, labels, plan_of(NTLConfig(loss="mse")), 0.75)
    wanted = gradients(scale * reference(*exact, labels, plan_of(NTLConfig(loss="mse")), 0.75)[0], exact)
    found = gradients(loss * scale, (hidden, weight, bias))
    assert max(worst(found, wanted)) < 5e-3


def test_a_number_loss_beyond_the_range_of_float16() -> None:
    """Squares of large values, times a large scale: out of range before the loss is divided."""
    hidden, weight, _, labels = batch(torch.float16)
    exact = [x.detach().double().requires_grad_() for x in (hidden, weight)]
    plan, scale = plan_of(NTLConfig(loss="mse")), 1e5
    loss, _ = pass_of(hidden, weight, None, labels, plan, scale)
    found = gradients(loss / 1e5, (hidden, weight))
    wanted = gradients(reference(*exact, None, labels, plan, scale)[0] / 1e5, exact)
    assert max(worst(found, wanted)) < 5e-3


def test_a_second_backward_pass_is_an_error() -> None:
    hidden, weight, bias, labels = batch()
    loss, _ = pass_of(hidden, weight, bias, labels, plan_of())
    loss.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_loss_that_looks_at_the_mass_unannounced_is_an_error() -> None:
    """Its gradient through the normaliser would be missing."""
    hidden, weight, bias, labels = batch()
    plan = HeadPlan(VOCAB, NumberLoss(NTLConfig(reweigh=True), VOCAB.values), TRANSFORMS["none"])
    with pytest.raises(RuntimeError, match="uses_mass=True"):
        pass_of(hidden, weight, bias, labels, plan, 1.0)


def test_many_number_tokens() -> None:
    """D of a multi-digit vocabulary: one distance a pair of values, and no tensor of positions x D x D."""
    ids = torch.arange(1000)
    vocab = NumberVocab(ids=ids, values=ids.float(), tokens=tuple(map(str, range(1000))))
    torch.manual_seed(0)
    hidden, weight = torch.randn(40, 8, dtype=torch.float64), torch.randn(1200, 8, dtype=torch.float64)
    inputs = (hidden.requires_grad_(), weight.requires_grad_(), None, torch.randint(1200, (40,)))
    for config in (NTLConfig(), NTLConfig(loss="mse")):
        plan = HeadPlan(vocab, NumberLoss(config, vocab.values), TRANSFORMS["none"], metrics=True)
        check_against_reference(plan, inputs, tolerance=1e-6)


def largest_tensor(function: Callable[[], Any], kinds: tuple[torch.dtype, ...]) -> int:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Largest(TorchDispatchMode):
        found = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            for x in result if isinstance(result, (tuple, list)) else [result]:
                if isinstance(x, Tensor) and x.dtype in kinds:
                    self.found = max(self.found, x.untyped_storage().nbytes() // x.element_size())
            return result

    with Largest() as mode:
        function()
    return mode.found


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_buffer_of_the_size_of_the_logits(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_CHUNK_BYTES", 2 * SIZE * 4)
    monkeypatch.setattr(block, "_CPU_ELEMENTS", SIZE)
    hidden, weight, _, labels = batch(dtype)

    def step() -> None:
        pass_of(hidden, weight, None, labels, plan_of(), 1.0)[0].backward()

    largest = largest_tensor(step, (torch.float32, torch.bfloat16))
    assert largest <= max(weight.numel(), POSITIONS * (6 + len(VOCAB))) < POSITIONS * SIZE
