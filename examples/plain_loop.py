"""A plain PyTorch loop with CE + 0.3 * NTL: a small decoder from scratch on noisy readings, seconds on one CPU core.

python examples/plain_loop.py
"""

from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import ByT5Tokenizer, LlamaConfig, LlamaForCausalLM

from ntl_hf import NTLoss
from ntl_hf.data import TextEncoder, make_readings, right_padding_collator

WEIGHT, ACCUMULATION = 0.3, 2
torch.manual_seed(0)
tokenizer = ByT5Tokenizer()  # a token for each character; part of transformers
encoder, collate = TextEncoder(tokenizer, is_encoder_decoder=False), right_padding_collator(tokenizer)
test_batch = collate(list(encoder.encode(make_readings("test", max_rows=200))))
train = DataLoader(encoder.encode(make_readings(max_rows=4000)), batch_size=16, shuffle=True, collate_fn=collate)
sizes: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), initializer_range=0.1, **sizes))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
ntl = NTLoss(tokenizer)


def losses(batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    return ntl.with_cross_entropy(logits, batch["labels"], shift=True)


def backward(batches: list[Any]) -> None:
    """The gradient of one step, the same however its rows are spread over the batches."""
    labels = torch.stack([(batch["labels"][:, 1:] != -100).sum() for batch in batches])
    numbers = torch.stack([(ntl.vocab.columns(batch["labels"][:, 1:]) >= 0).sum() for batch in batches])
    for i, batch in enumerate(batches):
        ce, number_loss = losses(batch)  # means over the labels and the numbers of this batch
        loss = ce * labels[i] / labels.sum() + WEIGHT * number_loss * numbers[i] / numbers.sum().clamp(min=1)
        loss.backward()


def report(when: str) -> None:
    with torch.no_grad():
        ce, number_loss = losses(test_batch)
    print(f"{when}: CE {ce:.3f}, NTL {number_loss:.3f}")


report("before")
micro_batches = iter(train)
while step := list(islice(micro_batches, ACCUMULATION)):
    backward(step)
    optimizer.step()
    optimizer.zero_grad()
report("after")
