"""The contenders of `benchmarks/loss.py`: each makes the loss of one batch, a scalar to be backpropagated.

A name that ends in `-logits` starts from given logits, every other one from hidden states.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import torch
from torch import Tensor
from torch.nn import functional as F

from ntl_hf.head import head_from_logits
from ntl_hf.head.one_pass import HeadPlan, one_pass
from ntl_hf.head.transform import LogitTransform
from ntl_hf.losses.objective import NTLObjective
from ntl_hf.settings.config import NTLConfig
from ntl_hf.tokens.number_layout import NumberSyntax

from .synthetic import IGNORE_INDEX, Batch

NTL_WEIGHT = 0.3
# What `trl.trainer.utils.add_fused_lm_head` gives to TRL's head.
_TRL_CHUNK = 32768
_TRL_OUTPUTS = ("log_probs", "entropy", "is_top1")

CE, CE_NTL, CE_NTL_REWEIGHED = "CE", "CE + NTL", "CE + NTL reweighed"

Loss = Callable[[], Tensor]
LogitsLoss = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Contender:
    """One way to make a loss.

    Attributes:
        objective: which loss.
        build: batch to the function that is timed.
        from_logits: it starts from given logits.
        full_logits: it has buffers of the size of the logits.
        frozen: the weight of the head needs no gradient, as under LoRA.
        package: what has to be installed.
        cuda_only: it does not run on a CPU.
    """

    objective: str
    build: Callable[[Batch], Loss]
    from_logits: bool = False
    full_logits: bool = False
    frozen: bool = False
    package: str = "torch"
    cuda_only: bool = False

    def why_not(self, device: torch.device) -> str | None:
        """Why it cannot be run here, or None."""
        if self.cuda_only and device.type != "cuda":
            return "it needs a GPU"
        if find_spec(self.package) is None:
            return f"{self.package} is not installed"
        return None


# ---- Ours ----


def _ours_fused(
    batch: Batch, ntl_weight: float | None = NTL_WEIGHT, reweigh: bool = False, loss_name: str = "was"
) -> Loss:
    objective = _objective(batch, reweigh, loss_name)
    plan = HeadPlan(
        batch.vocab,
        objective.losses_at,
        LogitTransform(),
        uses_mass=objective.uses_mass,
        metrics=True,
    )
    targets = objective.targets(batch.labels)
    sum_weight = None if ntl_weight is None else ntl_weight * batch.num_labels / batch.num_numbers

    def loss() -> Tensor:
        total, _ = one_pass(batch.hidden, batch.weight, None, targets, plan, sum_weight)
        return total / batch.num_labels

    return loss


def _ours_logits(batch: Batch, reweigh: bool = False) -> LogitsLoss:
    objective = _objective(batch, reweigh)

    def loss(logits: Tensor) -> Tensor:
        head = head_from_logits(logits, objective.targets(batch.labels))
        ntl = objective.number_losses(head).sum() / batch.num_numbers
        return objective.cross_entropy_sum(head) / batch.num_labels + NTL_WEIGHT * ntl

    return loss


def _objective(batch: Batch, reweigh: bool, loss_name: str = "was") -> NTLObjective:
    config = NTLConfig(loss=loss_name, reweigh=reweigh, digits_only=batch.digits_only)
    syntax = NumberSyntax.from_tokenizer(batch.tokenizer, batch.vocab) if config.reads_text else None
    return NTLObjective(batch.vocab, config, syntax)


# ---- Cross entropy without logits ----


def _trl(batch: Batch) -> Loss:
    from trl.kernels import ChunkedLogProbFunction

    hidden, labels = batch.hidden.view(-1, batch.hidden.shape[-1]), batch.labels.view(-1)

    def loss() -> Tensor:
        # As `add_fused_lm_head`: where there is Triton, the labelled positions alone.
        mask = labels != IGNORE_INDEX
        inputs = (hidden[mask], labels[mask]) if hidden.is_cuda else (hidden, labels.clamp(min=0))
        per_token = ChunkedLogProbFunction.apply(
            inputs[0], batch.weight, None, inputs[1], 1.0, _TRL_CHUNK, None, 1.0, _TRL_OUTPUTS
        )
        everywhere = [_everywhere(x, mask) for x in per_token if x is not None]
        return -everywhere[0].sum() / batch.num_labels

    return loss


def _everywhere(values: Tensor, mask: Tensor) -> Tensor:
    if values.is_cuda:
        return values.new_zeros(mask.shape).masked_scatter(mask, values)
    return values.masked_fill(~mask, 0)


def _torch_linear(batch: Batch) -> Loss:
    options = torch.nn.LinearCrossEntropyOptions()
    return lambda: F.linear_cross_entropy(batch.hidden[0], batch.weight, batch.labels[0], options=options)


def _liger(batch: Batch) -> Loss:
    from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss

    function = LigerFusedLinearCrossEntropyLoss()
    return lambda: function(batch.weight, batch.hidden[0], batch.labels[0])


# ---- Losses of full logits ----


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The mean over the labels, as `ForCausalLMLoss` of `transformers` makes it."""
    return F.cross_entropy(logits.float().flatten(0, -2), labels.flatten(), ignore_index=IGNORE_INDEX)


def _plain_ce(batch: Batch) -> LogitsLoss:
    return lambda logits: cross_entropy(logits, batch.labels)


def _ntloss(batch: Batch, reweigh: bool) -> LogitsLoss:
    import ntloss

    number_loss = ntloss.NTLoss(batch.tokenizer, batch.vocab_size, digit_level=batch.digits_only, reweigh=reweigh)
    return lambda logits: cross_entropy(logits, batch.labels) + NTL_WEIGHT * number_loss(logits, batch.labels)


def _paper(batch: Batch) -> LogitsLoss:
    """NTL-WAS by its formula (arXiv 2411.02083): sum over j of softmax(number logits)_j * |y - value_j|."""
    device = batch.labels.device
    ids, values, column = batch.vocab.ids.to(device), batch.vocab.values.to(device), batch.vocab.columns(batch.labels)

    def loss(logits: Tensor) -> Tensor:
        is_number = column >= 0
        probabilities = logits[..., ids].float().softmax(-1)[is_number]
        distances = (values[column[is_number]].unsqueeze(1) - values).abs()
        ntl = (probabilities * distances).sum() / batch.num_numbers
        return cross_entropy(logits, batch.labels) + NTL_WEIGHT * ntl

    return loss


def _of_given_logits(build: Callable[[Batch], LogitsLoss], batch: Batch) -> Loss:
    loss = build(batch)
    return lambda: loss(batch.logits)


def _of_projection(build: Callable[[Batch], LogitsLoss], batch: Batch) -> Loss:
    loss = build(batch)
    return lambda: loss(batch.hidden @ batch.weight.T)


def _both_ways(
    name: str, objective: str, build: Callable[[Batch], LogitsLoss], package: str = "torch"
) -> dict[str, Contender]:
    return {
        name: Contender(objective, partial(_of_projection, build), full_logits=True, package=package),
        f"{name}-logits": Contender(
            objective, partial(_of_given_logits, build), from_logits=True, full_logits=True, package=package
        ),
    }


def _from_logits(build: Callable[[Batch], LogitsLoss], objective: str) -> Contender:
    return Contender(objective, partial(_of_given_logits, build), from_logits=True, full_logits=True)


CONTENDERS: dict[str, Contender] = {
    "ours-fused": Contender(CE_NTL, _ours_fused),
    "ours-fused-frozen": Contender(CE_NTL, _ours_fused, frozen=True),
    "ours-fused-reweigh": Contender(CE_NTL_REWEIGHED, partial(_ours_fused, reweigh=True)),
    "ours-fused-ce-only": Contender(CE, partial(_ours_fused, ntl_weight=None)),
    **{
        f"ours-fused-{name}": Contender(f"CE + {name}", partial(_ours_fused, loss_name=name))
        for name in ("crps", "smmd", "del", "number")
    },
    "trl-ce": Contender(CE, _trl, package="trl"),
    "trl-ce-frozen": Contender(CE, _trl, package="trl", frozen=True),
    "torch-linear-ce": Contender(CE, _torch_linear),
    "liger-ce": Contender(CE, _liger, package="liger_kernel", cuda_only=True),
    "ours-logits": _from_logits(_ours_logits, CE_NTL),
    "ours-reweigh-logits": _from_logits(partial(_ours_logits, reweigh=True), CE_NTL_REWEIGHED),
    **_both_ways("plain-ce", CE, _plain_ce),
    **_both_ways("ntloss", CE_NTL, partial(_ntloss, reweigh=False), package="ntloss"),
    **_both_ways("ntloss-reweigh", CE_NTL_REWEIGHED, partial(_ntloss, reweigh=True), package="ntloss"),
    **_both_ways("paper", CE_NTL, _paper),
}
