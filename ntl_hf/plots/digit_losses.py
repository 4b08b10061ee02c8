"""The loss of a belief about one digit: the maths behind the pictures of losses."""

from typing import Any

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..head.loss_module import NTLoss

CE = "ce"
# What is left on every other digit: cross entropy stays below 9.2 nats.
_FLOOR = 1e-4
_OUTSIDE = -1e4


class DigitLosses:
    """Cross entropy and number losses of beliefs about a digit that is all of its number.

    Args:
        settings: label to the settings of `NTLoss`; "ce" needs none.
    """

    def __init__(self, settings: dict[str, dict[str, Any]]) -> None:
        tokenizer = _digit_tokenizer()
        self._digits = torch.tensor(tokenizer.convert_tokens_to_ids([str(digit) for digit in range(10)]))
        self._width = len(tokenizer)
        self._terms = {label: NTLoss(tokenizer, **each) for label, each in settings.items()}

    def __call__(self, label: str, belief: Tensor, true: int) -> Tensor:
        """The loss of each belief, `[n]`, float32, in its own unit.

        Args:
            label: "ce", in nats, or one of the settings.
            belief: probabilities of the ten digits, `[n, 10]`, float32; each digit has at least 0.0001 in effect.
            true: the digit that is true.
        """
        logits = (belief + _FLOOR).log()
        if label == CE:
            return -logits.log_softmax(-1)[:, true]
        # DEL depends on where the logits stand: around 0.
        rows = torch.full((len(belief), 1, self._width), _OUTSIDE)
        rows[:, 0, self._digits] = logits - logits.mean(-1, keepdim=True)
        return self._terms[label](rows, self._digits[true].expand(len(belief), 1), reduction="none")[:, 0]


def _digit_tokenizer() -> PreTrainedTokenizerFast:
    vocab = {token: i for i, token in enumerate(("<unk>", *"0123456789"))}
    core = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="<unk>")
