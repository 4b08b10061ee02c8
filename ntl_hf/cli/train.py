"""`ntl-hf train`: train with `NTLTrainer`, or an encoder-decoder with `NTLSeq2SeqTrainer`, from a recipe."""

from .script_command import ScriptCommand

COMMAND = ScriptCommand(
    "train",
    "train with NTLTrainer or, T5 and the like, NTLSeq2SeqTrainer: --config as for sft",
    "Train a model on CE + NTL with the trainers of transformers: a decoder with `NTLTrainer`, an encoder-decoder "
    "with `NTLSeq2SeqTrainer`. A recipe sets the options, and what is said on the command line counts more.",
    (
        "ntl-hf train --config t5-base/arithmetic",
        "ntl-hf train --config t5-base/xval --learning_rate 1e-4",
        "ntl-hf train --config t5-base/arithmetic --debug",
    ),
)
