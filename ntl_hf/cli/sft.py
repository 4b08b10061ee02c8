"""`ntl-hf sft`: fine-tune a decoder-only model with `NTLSFTTrainer`, from a recipe and overrides."""

from .script_command import ScriptCommand

COMMAND = ScriptCommand(
    "sft",
    "fine-tune with NTLSFTTrainer: --config recipe.yaml and overrides",
    "Fine-tune a decoder-only model on CE + NTL with TRL's SFT trainer (`NTLSFTTrainer`). A recipe sets the options, "
    "and what is said on the command line counts more.",
    (
        "ntl-hf sft --config granite-3.2-2b/gsm8k-lora",
        "ntl-hf sft --config smollm2-135m/gsm8k-lora --ntl_loss mae",
        "ntl-hf sft --config smollm2-135m/gsm8k-lora --debug",
    ),
)
