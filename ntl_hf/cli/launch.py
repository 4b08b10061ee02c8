"""`--accelerate_config`: run a command in several processes, as `accelerate launch` does, with errors of one line."""

import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..settings.errors import UsageError
from ..settings.recipe_files import ACCELERATE, file_at
from .process import USAGE, print_error

if TYPE_CHECKING:
    from accelerate.commands.config.config_args import ClusterConfig

CONFIG = "--accelerate_config"
# What is for the launcher; all other options are the command's.
OPTIONS = (CONFIG, "--num_processes", "--num_machines", "--machine_rank", "--main_process_ip", "--main_process_port")
HELP = (
    "run in several processes, as `accelerate launch` does: a file of `accelerate config`, or single, ddp, fsdp2, "
    f"zero2, zero3, zero3-offload; with it: {', '.join(OPTIONS[1:])}"
)
_PRECISIONS = ("no", "fp16", "bf16", "fp8")
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LAUNCHED = "NTL_HF_LAUNCHED"


def split_options(argv: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """The launcher's options, and the command's words.

    Raises:
        UsageError: an option without its value, or without `--accelerate_config`.
    """
    found: dict[str, str] = {}
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        if word not in OPTIONS:
            rest.append(word)
        elif (value := next(words, "--")).startswith("--"):
            raise UsageError(f"{word} needs a value.")
        else:
            found[word] = value
    if found and CONFIG not in found:
        raise UsageError(f"{next(iter(found))} is for several processes: name an {CONFIG}, {_names()}.")
    return found, rest


def launch(command: str, options: dict[str, str], argv: Sequence[str]) -> int:
    """Run `ntl-hf COMMAND ARGV` under an accelerate configuration, and return the exit code.

    Args:
        command: name of the command.
        options: from `split_options`.
        argv: the command's own words.

    Raises:
        UsageError: there is no such configuration, it cannot be read, or it does not fit this machine.
    """
    path = find_config(options[CONFIG])
    config = _load(path)
    for option, value in options.items():
        setattr(config, option.removeprefix("--"), value)  # as accelerate does it, later
    _check(config, path, options)
    from accelerate.commands.launch import launch_command_parser

    words = [word for option, value in options.items() if option != CONFIG for word in (option, value)]
    args = launch_command_parser().parse_args(
        ["--config_file", str(path), *words, "-m", "ntl_hf.cli.main", command, *argv]
    )
    if int(config.num_machines) == 1 and config.main_process_port is None:
        # Else it is 29500 where that is free at a first look, and two commands that start at once both take it.
        # Standalone processes meet at a port that the system has picked and that stays open from then on; the 0 keeps
        # accelerate from looking at, and warning of, another.
        args.standalone, args.main_process_port = True, 0
    return _run_here(args) if config.distributed_type == "NO" else _run_processes(args)


def end_with_launcher() -> None:
    """In a process that the launcher has started, on Linux: be killed when its parent is.

    It would train on, and a new run on the same folder would begin beside it.
    """
    if os.environ.get(_LAUNCHED) and sys.platform == "linux":
        set_parent_death_signal = 1
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def find_config(name: str) -> Path:
    """The file of a configuration: a path, which counts more, or the name of one of ours; both without `.yaml` too.

    Raises:
        UsageError: there is neither.
    """
    path = file_at(Path(name)) or file_at(ACCELERATE / name)
    if path is not None:
        return path
    raise UsageError(f"{CONFIG} {name}: no such file, and none of {_names()}.")


def _names() -> str:
    return ", ".join(sorted(path.stem for path in ACCELERATE.glob("*.yaml")))


def _load(path: Path) -> "ClusterConfig":
    import yaml
    from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file

    try:
        config = load_config_from_file(str(path))
    # A file that is a list, a number or nothing at all has no `get`.
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} is no accelerate configuration: {' '.join(str(error).split())}") from error
    if not isinstance(config, ClusterConfig):
        raise UsageError(f"{path} is a configuration for SageMaker; start that with `accelerate launch`.")
    return config


def _check(config: "ClusterConfig", path: Path, options: dict[str, str]) -> None:
    """Refuse what accelerate would start all the same, as something else, or with pages of traceback."""
    kind = config.distributed_type.value
    _check_kind(config, kind, path)
    machines = _number("num_machines", config, path, options)
    processes = _number("num_processes", config, path, options)
    if kind == "NO" and processes > 1:
        raise UsageError(f"{path} starts one process, not {processes}; take another configuration, such as `ddp`.")
    if machines > 1 and not config.main_process_ip:
        raise UsageError(f"{machines} machines need --main_process_ip, the address of the first one.")
    if config.main_process_port is not None:
        _number("main_process_port", config, path, options)
    if not config.use_cpu and kind != "NO":
        _check_devices(-(-processes // machines), config.gpu_ids, path)


def _check_kind(config: "ClusterConfig", kind: str, path: Path) -> None:
    from accelerate.utils import is_deepspeed_available

    if kind == "MULTI_CPU":
        raise UsageError(
            f"{path}: with `distributed_type: MULTI_CPU`, accelerate starts a single process. Several on the CPU are "
            "`distributed_type: MULTI_GPU` with `use_cpu: true`."
        )
    if kind not in ("NO", "FSDP", "DEEPSPEED") and not kind.startswith("MULTI_"):
        raise UsageError(f"{path}: `distributed_type: {kind}` is not supported; take MULTI_GPU, FSDP or DEEPSPEED.")
    if kind == "DEEPSPEED" and not is_deepspeed_available():
        raise UsageError(f"{path} needs DeepSpeed, which is not installed: pip install 'ntl-hf[deepspeed]'")
    if config.mixed_precision not in (None, *_PRECISIONS):
        known = ", ".join(_PRECISIONS)
        raise UsageError(f"{path}: `mixed_precision` is {config.mixed_precision!r}; leave it out, or choose: {known}.")


def _check_devices(processes: int, gpu_ids: Any, path: Path) -> None:
    import torch

    devices = torch.accelerator.device_count()
    if gpu_ids not in (None, "all"):
        devices = min(devices, len(str(gpu_ids).split(",")))
    if processes > devices:
        hint = f"add --num_processes {devices}" if devices else "`--accelerate_config single` runs on the CPU"
        raise UsageError(f"{path} is for {processes} processes on this machine, GPUs here: {devices}; {hint}.")


def _number(name: str, config: "ClusterConfig", path: Path, options: dict[str, str]) -> int:
    """A whole number, 1 or more, of the options or the file."""
    option, text = f"--{name}", str(getattr(config, name))
    if option not in options and text == "-1":  # accelerate's own default
        raise UsageError(f"{path} does not say how many processes to start: add {option} N.")
    if not text.isdecimal() or int(text) < 1:
        where = option if option in options else f"{path}: `{name}`"
        raise UsageError(f"{where} is {text}; it must be a whole number, 1 or more.")
    return int(text)


def _run_here(args: Any) -> int:
    """A single process takes the place of this one: signals then reach it, not a parent that waits for it."""
    from accelerate.commands.launch import _validate_launch_command
    from accelerate.utils.launch import prepare_simple_launcher_cmd_env

    command, environment = prepare_simple_launcher_cmd_env(_validate_launch_command(args)[0])
    sys.stdout.flush()
    os.execvpe(command[0], command, environment)


def _run_processes(args: Any) -> int:
    from accelerate.commands.launch import launch_command
    from accelerate.utils import patch_environment
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    # torchrun passes SIGTERM and SIGINT on as well, but kills what is still saving 30 seconds later, and raises.
    args.signals_to_handle = "SIGHUP,SIGQUIT"
    # Its errors are told below.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    try:
        with patch_environment(**{_LAUNCHED: 1}), _signals_passed_on():
            launch_command(args)
    except ChildFailedError as error:
        return _report(error.failures)
    return 0


@contextmanager
def _signals_passed_on() -> Iterator[None]:
    """SIGTERM and SIGINT reach the processes, which save and end; this one waits for them."""
    heard, told = os.pipe()
    os.set_blocking(told, False)
    # By a thread: the main one may be deep in torch, waiting for other machines, where no handler would run.
    threading.Thread(target=_pass_on, args=(heard,), daemon=True).start()
    previous_told = signal.set_wakeup_fd(told)
    previous = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous_told)
        for number, handler in previous.items():
            signal.signal(number, handler)
        os.close(told)


def _pass_on(heard: int) -> None:
    import psutil

    while byte := os.read(heard, 1):
        if byte[0] not in _SIGNALS:
            continue
        children = psutil.Process().children()
        for child in children:
            child.send_signal(byte[0])
        if not children:
            print("ntl-hf: interrupted", file=sys.stderr, flush=True)
            os._exit(128 + byte[0])


def _report(failures: dict[int, Any]) -> int:
    """Tell which process failed, unless it has done so itself, and return the exit code."""
    refused = [failure for failure in failures.values() if failure.exitcode == USAGE]
    if not refused:
        first = min(failures.values(), key=lambda failure: failure.timestamp)
        how = first.signal_name() if first.exitcode < 0 else f"exit code {first.exitcode}"
        print_error(f"process {first.local_rank} failed ({how}); its own output is above.")
        return 1
    message = refused[0].message
    # Process 0 prints its own, see `report`, if it gets that far.
    if not any(failure.local_rank == 0 and failure.message == message for failure in failures.values()):
        print_error(f"process {refused[0].local_rank}: {message}")
    return USAGE
