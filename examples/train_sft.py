"""The shortest real use: SFTTrainer with another name. Trains a small chat model on GSM8K with LoRA.

python examples/train_sft.py [FOLDER_WITH_TRAIN_AND_TEST_JSONL]
"""

import sys

from peft import LoraConfig

from ntl_hf import NTLSFTConfig, NTLSFTTrainer
from ntl_hf.data import load_gsm8k

trainer = NTLSFTTrainer(
    model="HuggingFaceTB/SmolLM2-135M-Instruct",
    args=NTLSFTConfig(output_dir="outputs/train_sft", ntl_weight=0.3, max_steps=100, logging_steps=10, max_length=256),
    train_dataset=load_gsm8k(sys.argv[1] if len(sys.argv) > 1 else None),
    peft_config=LoraConfig(r=16, target_modules="all-linear"),
)
trainer.train()
trainer.save_model()
