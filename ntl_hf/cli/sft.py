"""`ntl-hf sft`: fine-tune a decoder-only model with `NTLSFTTrainer`, from a recipe and overrides."""

from .script_command import ScriptCommand

COMMAND = ScriptCommand("sft", "fine-tune with NTLSFTTrainer: --config recipe.yaml and overrides")
