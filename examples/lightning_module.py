"""CE + 0.3 * NTL in PyTorch Lightning: a small decoder from scratch on noisy readings, seconds on one CPU core.

python examples/lightning_module.py
"""

from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader
from transformers import ByT5Tokenizer, LlamaConfig, LlamaForCausalLM

from ntl_hf import NTLoss
from ntl_hf.data import TextEncoder, make_readings, right_padding_collator


class NumberModel(lightning.LightningModule):
    def __init__(self, model: torch.nn.Module, tokenizer: Any, weight: float = 0.3) -> None:
        super().__init__()
        self.model, self.ntl, self.weight = model, NTLoss(tokenizer), weight

    def losses(self, batch: Any, stage: str) -> torch.Tensor:
        logits = self.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        ce, ntl = self.ntl.with_cross_entropy(logits, batch["labels"], shift=True)
        self.log_dict({f"{stage}_ce": ce, f"{stage}_ntl": ntl}, batch_size=len(logits))
        return ce + self.weight * ntl

    def training_step(self, batch: Any) -> torch.Tensor:
        return self.losses(batch, "train")

    def validation_step(self, batch: Any) -> None:
        self.losses(batch, "val")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


lightning.seed_everything(0, verbose=False)
tokenizer = ByT5Tokenizer()  # a token for each character; part of transformers
encoder, collate = TextEncoder(tokenizer, is_encoder_decoder=False), right_padding_collator(tokenizer)
train = DataLoader(encoder.encode(make_readings(max_rows=4000)), batch_size=32, shuffle=True, collate_fn=collate)
test = DataLoader(encoder.encode(make_readings("test", max_rows=200)), batch_size=200, collate_fn=collate)
sizes: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), initializer_range=0.1, **sizes))
module = NumberModel(model, tokenizer)
trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False)
(before,) = trainer.validate(module, test, verbose=False)
trainer.fit(module, train, val_dataloaders=test)
(after,) = trainer.validate(module, test, verbose=False)
for when, scores in {"before": before, "after": after}.items():
    print(f"{when}: CE {scores['val_ce']:.3f}, NTL {scores['val_ntl']:.3f}")
