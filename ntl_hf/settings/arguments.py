"""The argument classes: those of transformers and trl, with the fields of `NTLConfig` under the prefix `ntl_`."""

from dataclasses import dataclass, field, fields, make_dataclass
from typing import Any

from transformers import Seq2SeqTrainingArguments, TrainingArguments
from transformers.utils import is_torch_bf16_gpu_available, is_torch_xla_available
from trl import SFTConfig

from .checks import setting
from .config import PREFIX, NTLConfig
from .redaction import redacted


def _prefixed(each: Any) -> tuple[str, Any, Any]:
    return PREFIX + each.name, each.type, setting(each.default, help=each.metadata.get("help", ""))


class NTLArguments:
    """What the argument classes below have in common: the `ntl_` fields, checked when they are made."""

    def __post_init__(self) -> None:
        self.ntl_loss = self.get_ntl_config().loss  # one spelling of it, also where YAML had a list
        super().__post_init__()  # type: ignore[misc]

    def to_dict(self) -> dict[str, Any]:
        """As the stock method, and without the secrets in nested settings: trackers write this down."""
        return {name: redacted(value) for name, value in super().to_dict().items()}  # type: ignore[misc]

    def get_ntl_config(self) -> NTLConfig:
        """The `NTLConfig` that the `ntl_` fields describe.

        Raises:
            ValueError: a setting is out of range; the message names the field with its prefix.
        """
        return NTLConfig.from_prefixed(vars(self))


# No setting of the loss: it changes nothing in training.
_PLOTS = setting(
    False,
    help="Draw what the model believes of digits at every evaluation, into 'plots/' of the output folder and for the "
    "trackers of 'report_to'. Needs matplotlib.",
)
# Derived, so that a setting is written down once: `NTLConfig.weight` is `ntl_weight` here, with its help text.
_FIELDS: list[Any] = [*map(_prefixed, fields(NTLConfig)), ("ntl_plots", bool, _PLOTS)]
_NTLFields = make_dataclass("_NTLFields", _FIELDS, bases=(NTLArguments,))


@dataclass
class NTLTrainingArguments(_NTLFields, TrainingArguments):  # type: ignore[misc, valid-type]
    """`transformers.TrainingArguments` with `ntl_weight`, `ntl_loss`, ... of `NTLConfig`, and `ntl_plots`."""


@dataclass
class NTLSeq2SeqTrainingArguments(_NTLFields, Seq2SeqTrainingArguments):  # type: ignore[misc, valid-type]
    """`transformers.Seq2SeqTrainingArguments` with `ntl_weight`, `ntl_loss`, ... of `NTLConfig`, and `ntl_plots`."""


@dataclass
class NTLSFTConfig(_NTLFields, SFTConfig):  # type: ignore[misc, valid-type]
    """`trl.SFTConfig` with `ntl_weight`, `ntl_loss`, ... of `NTLConfig`, and `ntl_plots`.

    `bf16` that is not set is TRL's True where a GPU has bfloat16, and False elsewhere and with `use_cpu`: there TRL's
    default raises an error, or trains in a precision that most CPUs only emulate.
    """

    # TRL's default has the name that transformers has deprecated, and warns every user of it.
    gradient_checkpointing: bool | None = field(
        default=None, metadata=TrainingArguments.__dataclass_fields__["gradient_checkpointing"].metadata
    )

    def __post_init__(self) -> None:
        if self.bf16 is None and (self.use_cpu or not (is_torch_bf16_gpu_available() or is_torch_xla_available())):
            self.bf16 = False
        if self.activation_checkpointing is None and self.gradient_checkpointing is None:
            self.activation_checkpointing = SFTConfig.gradient_checkpointing
        super().__post_init__()


def resolve_ntl_config(args: Any, ntl_config: NTLConfig | None) -> NTLConfig:
    """The settings a trainer should use: `ntl_config`, else the `ntl_` fields of `args`, else the defaults.

    Raises:
        ValueError: both are given and disagree, or a setting is out of range; the message names the settings.
    """
    from_args = args.get_ntl_config() if isinstance(args, NTLArguments) else NTLConfig()
    if ntl_config is None:
        return from_args
    ntl_config.check()  # its fields may have been set since it was made
    if from_args not in (NTLConfig(), ntl_config):
        raise ValueError(
            "`ntl_config` and the `ntl_` fields of the training arguments disagree "
            f"({'; '.join(from_args.differences(ntl_config))}). Pass one of the two."
        )
    return ntl_config
