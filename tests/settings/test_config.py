"""Settings: their ranges and messages, the copy on disk, the argument classes that carry them, and the schedule."""

import json
import math
import warnings
from dataclasses import MISSING, asdict, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import HfArgumentParser, TrainerControl, TrainerState
from trl import SFTConfig, TrlParser

from ntl_hf import (
    NTLCallback,
    NTLConfig,
    NTLSeq2SeqTrainingArguments,
    NTLSFTConfig,
    NTLTrainingArguments,
)
from ntl_hf.settings.arguments import resolve_ntl_config
from ntl_hf.settings.config import FILE_NAME
from ntl_hf.settings.losses import LOSSES

CHOICES = {
    "weight_schedule": ("constant", "linear", "cosine"),
    "head": ("auto", "fused", "logits"),
    "number_error": ("relative", "log", "absolute"),
    "place_weights": ("none", "ntil", "del"),
    "balance": ("none", "loss", "gradient"),
}
ARGUMENT_CLASSES = [NTLTrainingArguments, NTLSeq2SeqTrainingArguments, NTLSFTConfig]
every_class = pytest.mark.parametrize("arguments_class", ARGUMENT_CLASSES, ids=lambda cls: cls.__name__)
OTHER = NTLConfig(
    weight=0.5,
    loss="lp+huber:0.25",
    digits_only=False,
    reweigh=True,
    gaussian_sigma=1.5,
    p=3.0,
    huber_delta=2.0,
    energy_beta=1.5,
    kernel_sigma=1.0,
    dist2_temperature=0.5,
    raft_grid=[1.0, 2.0, 3.0],
    number_error="log",
    place_weights="ntil",
    place_base=1.5,
    balance="gradient",
    weight_schedule="cosine",
    warmup_steps=0.1,
    head="logits",
)
BAD = [
    ({"gaussian_sigma": -1}, r"`{}gaussian_sigma` is -1; it must be a finite number, 0 or more"),
    ({"gaussian_sigma": 1.0, "squash_factor": 2.0}, r"`{}squash_factor` goes with .*Remove one"),
    (
        {"loss": "wasserstein"},
        r"`{}loss` is 'wasserstein'; at character 1: 'wasserstein' is unknown\. Did you mean 'was'",
    ),
    ({"loss": "MAE"}, r"`{}loss` is 'MAE'.*Did you mean 'mae'\? Choose one of: was, mse, mae, huber, lp, crps"),
    ({"loss": "xyz"}, r"`{}loss` is 'xyz'; at character 1: 'xyz' is unknown\. Choose"),
    ({"loss": None}, r"`{}loss` is None; it must be a text"),
    ({"loss": []}, r"`{}loss` is \[\]; it must be a text"),
    ({"loss": ["was", 3]}, r"`{}loss` has 3 in its list; write terms such as"),
    ({"loss": "was+crps:0"}, r"`{}loss` is 'was\+crps:0'; at character 10: the weight '0' is no number above 0"),
    ({"loss": "was+was:2"}, r"`{}loss` is .*at character 5: 'was' comes twice"),
    ({"loss": "raft+number"}, r"`{}loss`: 'raft' is for answers of one token, 'number' for longer ones\. Choose one"),
    ({"loss": "crps", "reweigh": True}, r"`{0}reweigh` is for losses with a largest value.*`{0}loss` is 'crps'"),
    ({"loss": "number", "place_weights": "ntil"}, r"`{}place_weights` weigh single tokens; 'number' has places"),
    ({"loss": "del:1+number:2", "place_weights": "del"}, r"`{}place_weights` weigh.*'del:1\+number:2'.*'none'"),
    ({"energy_beta": 2}, r"`{}energy_beta` is 2; it must be a finite number, above 0 and below 2"),
    ({"energy_beta": 0}, r"`{}energy_beta` is 0; .*above 0 and below 2"),
    ({"kernel_sigma": 0.0}, r"`{}kernel_sigma` is 0\.0; it must be a finite number, above 0"),
    ({"dist2_temperature": -1}, r"`{}dist2_temperature` is -1; .*above 0"),
    ({"place_base": 0}, r"`{}place_base` is 0; .*above 0"),
    ({"raft_grid": "1,2"}, r"`{}raft_grid` is '1,2'; it must be a list of answers"),
    ({"raft_grid": [1]}, r"`{}raft_grid` is \[1\]; it must have two or more answers"),
    ({"raft_grid": [1, 1.0]}, r"`{}raft_grid` is \[1, 1\.0\]; it must have two or more"),
    ({"raft_grid": [1, -2]}, r"`{}raft_grid` is -2; it must be a finite number, 0 or more"),
    ({"number_error": "realtive"}, r"`{}number_error` is 'realtive'.*Did you mean 'relative'"),
    ({"place_weights": "nitl"}, r"`{}place_weights` is 'nitl'.*Did you mean 'ntil'"),
    ({"balance": "losses"}, r"`{}balance` is 'losses'.*Did you mean 'loss'"),
    ({"balance": None}, r"`{}balance` is None"),
    ({"weight_schedule": "linaer"}, r"`{}weight_schedule` is 'linaer'.*Did you mean 'linear'"),
    ({"weight": -0.1}, r"`{}weight` is -0\.1; it must be a finite number, 0 or more"),
    ({"weight": math.nan}, r"`{}weight` is nan"),
    ({"weight": math.inf}, r"`{}weight` is inf"),
    # Infinite in float32, in which the losses are computed; and too large for a float.
    ({"weight": 1e39}, r"`{}weight` is 1e\+39; it must be a finite number"),
    ({"weight": 10**400}, r"`{}weight` is 10*\.\.\.; it must be a finite number"),
    ({"loss": "was:1e39"}, r"`{}loss` is 'was:1e39'; at character 5: the weight '1e39' is no number above 0"),
    ({"loss": {"was": math.nan}}, r"`{}loss` is 'was:nan'; at character 5"),
    ({"loss": [{"was": True}]}, r"`{}loss` is 'was:True'; at character 5"),
    ({"weight": "0.3"}, r"`{}weight` is '0\.3'; it must be a finite number"),
    ({"weight": True}, r"`{}weight` is True"),
    ({"weight": None}, r"`{}weight` is None"),
    ({"p": 0.9}, r"`{}p` is 0\.9; it must be a finite number, 1 or more"),
    ({"p": math.nan}, r"`{}p` is nan"),
    ({"huber_delta": 0}, r"`{}huber_delta` is 0; it must be a finite number, above 0"),
    ({"warmup_steps": -1}, r"`{}warmup_steps` is -1"),
    ({"squash_factor": 1}, r"`{}squash_factor` is 1; it must be a finite number, above 1"),
    ({"squash_factor": math.inf}, r"`{}squash_factor` is inf"),
    ({"loss": "mae", "squash_factor": 2}, r"`{0}squash_factor` rescales.*'{0}loss=was'; 'mae' has none.*`{0}loss`"),
]


# Ranges


def test_defaults_are_the_papers() -> None:
    config = NTLConfig()
    assert (config.weight, config.loss, config.digits_only) == (0.3, "was", True)
    assert (config.reweigh, config.squash_factor, config.weight_schedule, config.warmup_steps) == (
        *(False, None, "constant", 0),
    )


@pytest.mark.parametrize(("settings", "message"), BAD)
def test_settings_out_of_range(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.format("")):
        NTLConfig(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        *({"loss": loss} for loss in LOSSES),
        *({"weight_schedule": schedule} for schedule in CHOICES["weight_schedule"]),
        *({"weight": weight} for weight in (0, 0.0, 1, 1e6)),
        *({"squash_factor": factor} for factor in (None, 1.0001, 2)),
        *({"p": p} for p in (1, 1.5, 2)),
        *({name: choice} for name, choices in CHOICES.items() for choice in choices),
        *({"energy_beta": beta} for beta in (0.01, 1, 1.99)),
        {"raft_grid": [0, 9]},
        {"loss": "raft", "place_weights": "ntil"},
        {"loss": "was+number", "place_weights": "del"},
        {"loss": "was:0.5+crps:0.5", "squash_factor": 2},
        {"warmup_steps": 0.5},
        {"warmup_steps": 1000},
    ],
)
def test_settings_at_the_edge_of_their_range(settings: dict[str, Any]) -> None:
    config = NTLConfig(**settings)
    assert {name: getattr(config, name) for name in settings} == settings


# On disk


@pytest.mark.parametrize(
    "config", [NTLConfig(), OTHER, NTLConfig(squash_factor=5.0), NTLConfig(loss="number:0.1+crps")]
)
def test_save_and_load(config: NTLConfig, tmp_path: Path) -> None:
    path = config.save(tmp_path)
    assert path == tmp_path / FILE_NAME
    assert json.loads(path.read_text()) == asdict(config)
    assert NTLConfig.load(tmp_path) == NTLConfig.load(str(tmp_path)) == config


def test_a_file_of_an_older_version_takes_the_defaults(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"weight": 0.7}')
    assert NTLConfig.load(tmp_path) == NTLConfig(weight=0.7)


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, FileNotFoundError, FILE_NAME),
        ("{", ValueError, f"{FILE_NAME} is not valid JSON"),
        ("[]", ValueError, rf"{FILE_NAME} must hold names and values, not \[\]\. Correct the file"),
        ("null", ValueError, rf"{FILE_NAME} must hold names and values, not None"),
        ('{"weight": NaN}', ValueError, rf"{FILE_NAME}: `weight` is nan.*Correct the file, or take another"),
        ('{"weight": true}', ValueError, f"{FILE_NAME}: `weight` is True"),
        ('{"weight": "0.3"}', ValueError, f"{FILE_NAME}: `weight` is '0.3'"),
        ('{"weight": Infinity}', ValueError, f"{FILE_NAME}: `weight` is inf"),
        ('{"raft_grid": [1, NaN]}', ValueError, f"{FILE_NAME}: `raft_grid` is nan"),
        ('{"loss": "was:nan"}', ValueError, f"{FILE_NAME}: `loss` is 'was:nan'"),
        ('{"weight": 0.3, "wieght": 1}', ValueError, r"does not know: \['wieght'\]"),
        ('{"weight": -1}', ValueError, "`weight` is -1"),
    ],
)
def test_files_that_cannot_be_loaded(
    content: str | None, error: type[Exception], message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / FILE_NAME).write_text(content)
    with pytest.raises(error, match=message):
        NTLConfig.load(tmp_path)


def test_differences() -> None:
    assert NTLConfig().differences(NTLConfig()) == []
    changed = NTLConfig(weight=0.5, loss="mae", digits_only=False)
    assert NTLConfig().differences(changed) == [
        "weight: 0.3 -> 0.5",
        "loss: 'was' -> 'mae'",
        "digits_only: True -> False",
    ]
    assert len(NTLConfig().differences(OTHER)) == len(fields(NTLConfig)) - 1  # all but `squash_factor`


# Argument classes


def make(arguments_class: Any, folder: Path, **settings: Any) -> Any:
    return arguments_class(output_dir=str(folder), use_cpu=True, bf16=False, **settings)


@every_class
def test_argument_classes_carry_the_fields_of_the_config(arguments_class: Any) -> None:
    theirs = {field.name: field for field in fields(arguments_class) if field.name.startswith("ntl_")}
    mine = {f"ntl_{field.name}": field for field in fields(NTLConfig)}
    assert list(theirs) == [*mine, "ntl_plots"]
    # Not the type of the field: transformers' parser writes over it.
    types = get_type_hints(arguments_class)
    for name, field in mine.items():
        assert theirs[name].default == field.default is not MISSING
        assert types[name] == field.type
        assert theirs[name].metadata["help"] == field.metadata["help"]
        assert len(field.metadata["help"]) > 20


@every_class
def test_arguments_to_config(arguments_class: Any, tmp_path: Path) -> None:
    assert make(arguments_class, tmp_path).get_ntl_config() == NTLConfig()
    settings = {f"ntl_{name}": value for name, value in asdict(OTHER).items()}
    assert make(arguments_class, tmp_path, **settings).get_ntl_config() == OTHER


@every_class
@pytest.mark.parametrize(("settings", "message"), BAD)
def test_arguments_out_of_range_are_named_with_their_prefix(
    arguments_class: Any, settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message.format("ntl_")):
        make(arguments_class, tmp_path, **{f"ntl_{name}": value for name, value in settings.items()})


@pytest.mark.parametrize("parser_class", [HfArgumentParser, TrlParser])
@every_class
def test_command_line(arguments_class: Any, parser_class: Any, tmp_path: Path) -> None:
    words = ["--output_dir", str(tmp_path), "--use_cpu", "--bf16", "false", "--ntl_weight", "0.5", "--ntl_loss", "mae"]
    words += ["--ntl_digits_only", "false", "--ntl_reweigh", "--ntl_warmup_steps", "0.1"]
    (arguments,) = parser_class(arguments_class).parse_args_into_dataclasses(words)
    expected = NTLConfig(weight=0.5, loss="mae", digits_only=False, reweigh=True, warmup_steps=0.1)
    assert arguments.get_ntl_config() == expected


@every_class
def test_yaml(arguments_class: Any, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"output_dir: {tmp_path}\nuse_cpu: true\nbf16: false\nntl_weight: 0.5\nntl_squash_factor: 4\n")
    words = ["--config", str(recipe), "--ntl_weight", "0.25", "--ntl_weight_schedule", "linear"]
    (arguments,) = TrlParser(arguments_class).parse_args_and_config(words)
    assert arguments.get_ntl_config() == NTLConfig(weight=0.25, squash_factor=4.0, weight_schedule="linear")


@every_class
@pytest.mark.parametrize(
    "lines",
    ["ntl_loss: crps:0.5+number:0.1", "ntl_loss: [crps:0.5, number:0.1]", "ntl_loss:\n  - crps: 0.5\n  - number: 0.1"],
    ids=["text", "list", "list of weights"],
)
def test_several_losses_in_yaml(arguments_class: Any, lines: str, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    grid = "ntl_raft_grid: [1, 2, 5]"
    recipe.write_text(f"output_dir: {tmp_path}\nuse_cpu: true\nbf16: false\n{lines}\n{grid}\n")
    (arguments,) = TrlParser(arguments_class).parse_args_and_config(["--config", str(recipe)])
    assert arguments.ntl_loss == "crps:0.5+number:0.1"
    assert arguments.get_ntl_config() == NTLConfig(loss="crps:0.5+number:0.1", raft_grid=[1, 2, 5])


@every_class
def test_several_losses_and_a_grid_as_options(arguments_class: Any, tmp_path: Path) -> None:
    words = ["--output_dir", str(tmp_path), "--use_cpu", "--bf16", "false", "--ntl_loss", "raft:2+was"]
    words += ["--ntl_raft_grid", "1", "2", "5"]
    (arguments,) = HfArgumentParser(arguments_class).parse_args_into_dataclasses(words)
    assert arguments.get_ntl_config() == NTLConfig(loss="raft:2+was", raft_grid=[1, 2, 5])


@every_class
def test_help_shows_the_settings(arguments_class: Any) -> None:
    text = " ".join(HfArgumentParser(arguments_class).format_help().split())
    assert "Number loss, or several with their weights, such as 'crps:0.5+number:0.1': 'was' (Wasserstein-1 " in text
    assert all(f"'{name}' (" in text for name in LOSSES)


@every_class
def test_arguments_survive_their_own_dictionary(arguments_class: Any, tmp_path: Path) -> None:
    arguments = make(arguments_class, tmp_path, ntl_weight=0.7)
    assert json.loads(arguments.to_json_string())["ntl_weight"] == 0.7


@pytest.mark.parametrize(
    ("has_bf16", "settings", "bf16"),
    [
        (False, {}, False),
        (True, {"use_cpu": True}, False),
        (True, {}, True),
        (True, {"fp16": True}, False),
        (False, {"use_cpu": True, "bf16": True}, True),
    ],
)
def test_sft_is_in_bfloat16_where_a_gpu_has_it(
    has_bf16: bool, settings: dict[str, bool], bf16: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("ntl_hf.settings.arguments", "transformers.training_args"):
        monkeypatch.setattr(f"{place}.is_torch_bf16_gpu_available", lambda: has_bf16)
    assert NTLSFTConfig(str(tmp_path), **settings).bf16 is bf16


@every_class
def test_no_default_has_a_name_that_transformers_warns_of(arguments_class: Any, tmp_path: Path) -> None:
    """TRL's own default of `gradient_checkpointing` does, and it is kept."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        arguments = arguments_class(str(tmp_path), use_cpu=True, bf16=False)
        again = replace(arguments, activation_checkpointing=not arguments.activation_checkpointing)
    wanted = arguments_class is NTLSFTConfig and SFTConfig.gradient_checkpointing
    assert arguments.activation_checkpointing is arguments.gradient_checkpointing is wanted
    assert again.gradient_checkpointing is not wanted


@every_class
@pytest.mark.parametrize("value", [True, False])
def test_the_old_name_of_activation_checkpointing_counts(arguments_class: Any, value: bool, tmp_path: Path) -> None:
    with pytest.warns(FutureWarning, match="`gradient_checkpointing` is deprecated"):
        arguments = arguments_class(str(tmp_path), use_cpu=True, bf16=False, gradient_checkpointing=value)
    assert arguments.activation_checkpointing is value


# One source of settings


@every_class
def test_config_and_arguments(arguments_class: Any, tmp_path: Path) -> None:
    plain, set_ = make(arguments_class, tmp_path), make(arguments_class, tmp_path, ntl_weight=0.5, ntl_loss="mae")
    given_config = NTLConfig(weight=0.2)
    assert resolve_ntl_config(plain, None) == NTLConfig()
    assert resolve_ntl_config(set_, None) == NTLConfig(weight=0.5, loss="mae")
    assert resolve_ntl_config(plain, given_config) is given_config
    assert resolve_ntl_config(set_, NTLConfig(weight=0.5, loss="mae")) == NTLConfig(weight=0.5, loss="mae")
    with pytest.raises(ValueError, match=r"disagree \(weight: 0\.5 -> 0\.2; loss: 'mae' -> 'was'\)"):
        resolve_ntl_config(set_, given_config)


def test_a_config_that_was_changed_since_it_was_made_is_checked_again() -> None:
    config = NTLConfig()
    config.weight = math.nan
    with pytest.raises(ValueError, match="`weight` is nan"):
        resolve_ntl_config(object(), config)


def test_config_beside_arguments_of_another_class() -> None:
    assert resolve_ntl_config(object(), None) == NTLConfig()
    assert resolve_ntl_config(object(), OTHER) is OTHER


# The schedule of the weight


HALF = math.sqrt(0.5)


@pytest.mark.parametrize(
    ("schedule", "warmup", "total", "expected"),
    [
        ("constant", 0, 4, [1, 1, 1, 1, 1]),
        ("constant", 4, 8, [0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 1]),
        ("constant", 1, 3, [0, 1, 1, 1]),
        ("linear", 0, 4, [1, 0.75, 0.5, 0.25, 0, 0]),
        ("linear", 2, 6, [0, 0.5, 1, 0.75, 0.5, 0.25, 0, 0]),
        ("cosine", 0, 4, [1, (1 + HALF) / 2, 0.5, (1 - HALF) / 2, 0, 0]),
        ("cosine", 2, 6, [0, 0.5, 1, (1 + HALF) / 2, 0.5, (1 - HALF) / 2, 0]),
        # A fraction of all steps, rounded up as the learning rate's warm-up is.
        ("constant", 0.5, 8, [0, 0.25, 0.5, 0.75, 1]),
        ("constant", 0.3, 8, [0, 1 / 3, 2 / 3, 1]),
        # Warm-up that outlasts training, and a run of no steps.
        ("linear", 10, 5, [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        ("linear", 0, 0, [1]),
        ("cosine", 4, 4, [0, 0.25, 0.5, 0.75, 1]),
    ],
)
def test_factors_worked_by_hand(schedule: str, warmup: float, total: int, expected: list[float]) -> None:
    callback = NTLCallback(schedule, warmup)
    assert [callback.factor_at(step, total) for step in range(len(expected))] == pytest.approx(expected, abs=1e-12)


@given(
    schedule=st.sampled_from(CHOICES["weight_schedule"]),
    warmup=st.one_of(st.floats(0, 0.99), st.integers(0, 50)),
    total=st.integers(1, 60),
    steps=st.lists(st.integers(0, 80), min_size=1, max_size=20),
)
def test_the_factor_depends_on_the_step_alone(schedule: Any, warmup: float, total: int, steps: list[int]) -> None:
    used, state = NTLCallback(schedule, warmup), TrainerState(max_steps=total)
    for step in steps:
        state.global_step = step
        used.on_step_begin(None, state, TrainerControl())
        # A resumed run has a callback that has not seen the steps before.
        assert used.factor == NTLCallback(schedule, warmup).factor_at(step, total)
        assert 0 <= used.factor <= 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"weight_schedule": "cos"}, "Did you mean 'cosine'"), ({"warmup_steps": -1}, "`warmup_steps` is -1")],
)
def test_a_callback_with_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NTLCallback(**settings)
