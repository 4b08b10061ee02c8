"""An encoder-decoder with NTLSeq2SeqTrainer: a small T5 from scratch on sums, half a minute on two CPU cores.

It shows the calls; 300 steps are far too few to learn adding.

    python examples/train_t5.py

ByT5's tokenizer is part of transformers, so nothing has to be downloaded.
"""

import random

from datasets import Dataset
from transformers import ByT5Tokenizer, DataCollatorForSeq2Seq, T5Config, T5ForConditionalGeneration

from ntl_hf import NTLSeq2SeqTrainer, NTLSeq2SeqTrainingArguments

random.seed(0)
tokenizer = ByT5Tokenizer()
sums = [(a := random.randrange(1000), b := random.randrange(1000), a + b) for _ in range(4000)]
dataset = Dataset.from_list(
    [{"input_ids": tokenizer(f"{a}+{b}=")["input_ids"], "labels": tokenizer(str(c))["input_ids"]} for a, b, c in sums]
).train_test_split(test_size=200, seed=0)

config = T5Config(
    vocab_size=len(tokenizer), d_model=128, d_ff=256, d_kv=32, num_layers=2, num_heads=4, decoder_start_token_id=0
)
trainer = NTLSeq2SeqTrainer(
    model=T5ForConditionalGeneration(config),
    args=NTLSeq2SeqTrainingArguments(
        output_dir="outputs/train_t5",
        ntl_weight=0.3,
        max_steps=300,
        per_device_train_batch_size=64,
        learning_rate=1e-3,
        logging_steps=50,
        eval_strategy="steps",
        eval_steps=100,
        save_strategy="no",
        use_cpu=True,
    ),
    train_dataset=dataset["train"],
    eval_dataset=dataset["test"],
    data_collator=DataCollatorForSeq2Seq(tokenizer),
    processing_class=tokenizer,
)
trainer.train()
