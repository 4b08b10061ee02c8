"""`ntl-hf train`: train with `NTLTrainer`, or an encoder-decoder with `NTLSeq2SeqTrainer`, from a recipe."""

from .script_command import ScriptCommand

COMMAND = ScriptCommand("train", "train with NTLTrainer or, T5 and the like, NTLSeq2SeqTrainer: --config as for sft")
