"""`Targets`: the labels of one micro-batch, and what of them is known before there are logits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from .number_layout import NumberLayout, NumberSyntax
from .number_vocab import NumberVocab

IGNORE_INDEX = -100


def shift_labels(labels: Tensor) -> Tensor:
    """Labels moved so that position t holds the label that it predicts: `[..., T]`, -100 at the end."""
    return follow_virtual_tokens(labels)[..., 1:]


def follow_virtual_tokens(labels: Tensor) -> Tensor:
    """Labels `[..., T]` with the position before the text, which predicts the first of them: `[..., T + 1]`."""
    return F.pad(labels, (0, 1), value=IGNORE_INDEX)


def align_labels(labels: Tensor, length: int, shift: bool) -> Tensor:
    """Labels `[B, T]` for `length` >= T positions: `[B, length]`.

    Prompt-learning adapters put virtual tokens before the text. They have no labels; with `shift`, the last of them
    predicts the first label, as in peft.
    """
    labels = F.pad(labels, (length - labels.shape[1], 0), value=IGNORE_INDEX)
    return shift_labels(labels) if shift else labels


@dataclass(frozen=True, eq=False)
class Targets:
    """Labels at the positions that predict them; made once a micro-batch, by `make_targets`.

    Attributes:
        labels: `[B, T]`, int64, -100 where there is none.
        columns: place of the label among the number tokens, `[B, T]`, int64; -1 where it is not a number.
        watched_ids: token ids whose logits the number loss sees, `[D]`, or `[D + F]` with points, commas and signs.
        layout: where each label stands in its number, of all B * T in a row; None where the loss does not look.
        vocab: the D number tokens.
        syntax: how numbers are written; None where the loss does not look.
    """

    labels: Tensor
    columns: Tensor
    watched_ids: Tensor
    layout: NumberLayout | None
    vocab: NumberVocab
    syntax: NumberSyntax | None

    def fit(self, length: int, device: torch.device) -> "Targets":
        """These for `length` >= T positions on a device, `[B, length]`; see `align_labels`."""
        # In a compiled graph, a comparison of lengths would make a graph of each.
        if not torch.compiler.is_compiling() and length == self.labels.shape[-1] and device == self.labels.device:
            return self
        return make_targets(align_labels(self.labels.to(device), length, False), self.vocab, self.syntax)

    def flat(self) -> "Targets":
        """The same with all positions in a row, `[B * T]`."""
        return replace(self, labels=self.labels.reshape(-1), columns=self.columns.reshape(-1))

    def select(self, rows: Tensor | slice) -> "Targets":
        """Some of the positions of `flat` targets."""
        layout = None if self.layout is None else self.layout.select(rows)
        return replace(self, labels=self.labels[rows], columns=self.columns[rows], layout=layout)

    @property
    def number_labels(self) -> Tensor:
        """The labels that are number tokens; -100 elsewhere."""
        return self.labels.masked_fill(self.columns < 0, IGNORE_INDEX)


def make_targets(labels: Tensor, vocab: NumberVocab, syntax: NumberSyntax | None = None) -> Targets:
    """Look labels up, on their device and without a synchronisation.

    Args:
        labels: `[B, T]`, int64, aligned with the logits, -100 where there is none.
        vocab: the number tokens.
        syntax: how numbers are written, for a loss that looks at whole numbers; None: at single tokens.
    """
    watched_ids = (vocab.ids_on if syntax is None else syntax.watched_ids)(labels.device)
    layout = None if syntax is None else syntax.layout(labels)
    return Targets(labels, vocab.columns(labels), watched_ids, layout, vocab, syntax)


class StepTargets:
    """The targets of the micro-batches of one step, from their counting until their loss is made.

    They are found again by the tensor of labels itself, which the trainers hand on in other dictionaries. One that was
    moved or written to since, as context parallelism does, has other targets.

    Attributes:
        num_numbers: number tokens among the labels of the step, over all processes; None before any was counted.
    """

    def __init__(self) -> None:
        self.num_numbers: Tensor | None = None
        self._known: list[tuple[Tensor, int, Targets]] = []

    def remember(self, labels: Sequence[Tensor], targets: Sequence[Targets]) -> None:
        """Keep the targets of a step, and forget those of the step before.

        Args:
            labels: of each micro-batch, as the trainer hands them on.
            targets: which were made of each.
        """
        # Tensors of inference mode do not tell whether they were written to.
        self._known = [
            (each, each._version, found)
            for each, found in zip(labels, targets, strict=True)
            if not each.is_inference()
        ]

    def clear(self) -> None:
        """Forget what was not taken."""
        self._known = []

    def take(self, labels: Tensor) -> Targets | None:
        """The targets that were made of this very tensor, once; None if there are none."""
        for i, (known, version, targets) in enumerate(self._known):
            if known is labels and labels._version == version:
                del self._known[i]
                return targets
        return None
