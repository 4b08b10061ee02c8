"""GRPO with a numeric reward: a model that has learnt to calculate a little is rewarded for how near its answers are.

    python examples/train_grpo.py [SUPERVISED_STEPS] [GRPO_STEPS]

A small decoder from random weights is first trained on generated calculations with CE + NTL, for it must answer in
numbers before a reward can tell answers apart; then with TRL's GRPOTrainer. Prints the mean reward of sampled answers
to problems that are not in the training data, before and after. No network; two minutes on one CPU core.
"""

import sys
from typing import Any

from transformers import LlamaForCausalLM, PreTrainedTokenizerFast, set_seed
from trl import GRPOConfig, GRPOTrainer

from ntl_hf import NTLSFTConfig, NTLSFTTrainer, NumberReward
from ntl_hf.data import make_calculations
from ntl_hf.runs.tiny_models import decoder_config, texts_of, word_tokenizer

supervised_steps = int(sys.argv[1]) if len(sys.argv) > 1 else 600
grpo_steps = int(sys.argv[2]) if len(sys.argv) > 2 else 300
train = make_calculations("train", max_rows=100 * supervised_steps)
unseen = make_calculations("interpolate", max_rows=256)

core = word_tokenizer(texts_of(train))
tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
set_seed(0)
model = LlamaForCausalLM(decoder_config(len(tokenizer)))
common: dict[str, Any] = {
    "bf16": False,
    "use_cpu": True,
    "report_to": "none",
    "save_strategy": "no",
    "logging_steps": 20,
}

NTLSFTTrainer(
    model=model,
    args=NTLSFTConfig(
        output_dir="outputs/train_grpo",
        max_steps=supervised_steps,
        per_device_train_batch_size=64,
        learning_rate=3e-3,
        **common,
    ),
    train_dataset=train,
    processing_class=tokenizer,
).train()

reward = NumberReward(scale=100)  # answers have up to three digits: an error of 100 or more costs 1
reward.check(train)
trainer = GRPOTrainer(
    model=model,
    reward_funcs=reward,
    args=GRPOConfig(
        output_dir="outputs/train_grpo",
        max_steps=grpo_steps,
        per_device_train_batch_size=256,
        per_device_eval_batch_size=128,
        num_generations=8,
        max_completion_length=4,
        learning_rate=5e-4,
        **common,
    ),
    train_dataset=train,
    eval_dataset=unseen,
    processing_class=tokenizer,
)
before = trainer.evaluate()
trainer.train()
after = trainer.evaluate()
for name, metrics in {"before": before, "after": after}.items():
    exact, unreadable = (metrics[f"eval_number_reward/{share}"] for share in ("exact", "unreadable"))
    print(f"{name} GRPO: reward {metrics['eval_reward']:.3f}, exact {exact:.1%}, unreadable {unreadable:.1%}")
