"""Inputs out of a random generator: a tokenizer of any size, labels and hidden states."""

from dataclasses import dataclass, field
from typing import Any

import torch
from tokenizers import Tokenizer, models
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ntl_hf import NumberVocab

IGNORE_INDEX = -100
_SPECIAL = ("<pad>", "<eos>", "<unk>", "<bos>")
DIGITS = 10
_LETTERS = str.maketrans("0123456789", "abcdefghij")


def make_tokenizer(vocab_size: int, number_tokens: int = DIGITS) -> PreTrainedTokenizerFast:
    """A fast tokenizer whose number tokens lie scattered among words.

    Args:
        vocab_size: number of tokens.
        number_tokens: 10 for the digits; 1,110 for all strings of one, two and three digits.
    """
    numbers = [f"{i:0{width}}" for width in (1, 2, 3) for i in range(10**width)][:number_tokens]
    step = (vocab_size - len(_SPECIAL)) // number_tokens
    # Words of letters: next to others, a number would have digits that are no number tokens.
    tokens = [*_SPECIAL, *(f"w{i}".translate(_LETTERS) for i in range(len(_SPECIAL), vocab_size))]
    for i, number in enumerate(numbers):
        tokens[len(_SPECIAL) + i * step] = number
    core = Tokenizer(models.WordLevel({token: i for i, token in enumerate(tokens)}, unk_token="<unk>"))
    special = dict(zip(("pad_token", "eos_token", "unk_token", "bos_token"), _SPECIAL, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=core, **special)


def make_labels(
    tokens: int, vocab: NumberVocab, vocab_size: int, labelled: float, numbers: float, generator: torch.Generator
) -> Tensor:
    """Token ids, `[tokens]`; the first ones, as in a prompt, are -100.

    Args:
        tokens: how many.
        vocab: the number tokens.
        vocab_size: ids are below it.
        labelled: share of the positions that have a label.
        numbers: share of the labels that are number tokens.
        generator: of the random numbers.
    """
    words = torch.ones(vocab_size, dtype=torch.bool).index_fill_(0, vocab.ids, False).nonzero().squeeze(1)
    labels = words[torch.randint(len(words), (tokens,), generator=generator)]
    first = tokens - round(labelled * tokens)
    order = first + torch.randperm(tokens - first, generator=generator)
    chosen = order[: round(numbers * len(order))]
    labels[chosen] = vocab.ids[torch.randint(len(vocab), (len(chosen),), generator=generator)]
    labels[:first] = IGNORE_INDEX
    return labels


@dataclass
class Batch:
    """What a loss is made of: hidden states and weight, or logits. These are leaves; those not in use are empty.

    Attributes:
        labels: `[1, N]`, aligned with the others.
        vocab: the number tokens.
        tokenizer: which they come from.
        vocab_size: V.
        hidden: `[1, N, H]`.
        weight: of the output projection, `[V, H]`.
        logits: `[1, N, V]`.
    """

    labels: Tensor
    vocab: NumberVocab
    tokenizer: Any = field(repr=False)
    vocab_size: int
    hidden: Tensor = field(default_factory=lambda: torch.empty(0))
    weight: Tensor = field(default_factory=lambda: torch.empty(0))
    logits: Tensor = field(default_factory=lambda: torch.empty(0))

    def __post_init__(self) -> None:
        # A trainer knows these before the loss: at least 1, as a divisor.
        self.num_labels = max(1, int((self.labels != IGNORE_INDEX).sum()))
        self.num_numbers = max(1, int((self.vocab.columns(self.labels) >= 0).sum()))

    @property
    def digits_only(self) -> bool:
        return len(self.vocab) == DIGITS

    def clear(self) -> None:
        """Drop the gradients."""
        for tensor in (self.hidden, self.weight, self.logits):
            tensor.grad = None


def make_batch(case: Any, device: torch.device, from_logits: bool, frozen: bool) -> Batch:
    """The batch of a case of `benchmarks/loss.py`; the same numbers in every process.

    Args:
        case: its parameters.
        device: where the tensors are made.
        from_logits: give the logits of hidden states and weight instead of these.
        frozen: the weight needs no gradient.
    """
    tokenizer = make_tokenizer(case.vocab_size, case.number_tokens)
    vocab = NumberVocab.from_tokenizer(tokenizer, digits_only=case.number_tokens == DIGITS)
    generator = torch.Generator().manual_seed(0)
    labels = make_labels(case.tokens, vocab, case.vocab_size, case.labelled, case.numbers, generator)
    hidden = torch.randn(1, case.tokens, case.hidden_size, generator=generator)
    weight = torch.randn(case.vocab_size, case.hidden_size, generator=generator) / case.hidden_size**0.5
    hidden, weight = (x.to(device, getattr(torch, case.dtype)) for x in (hidden, weight))
    batch = Batch(labels.unsqueeze(0).to(device), vocab, tokenizer, case.vocab_size)
    if from_logits:
        batch.logits = (hidden @ weight.T).requires_grad_()
    else:
        batch.hidden, batch.weight = hidden.requires_grad_(), weight.requires_grad_(not frozen)
    return batch
