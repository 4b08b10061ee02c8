"""`--accelerate_config`: the configurations, what is refused, and runs in two processes."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser

from ntl_hf.cli import launch as launcher
from ntl_hf.cli.launch import find_config, split_options
from ntl_hf.cli.main import main
from ntl_hf.settings.errors import UsageError
from ntl_hf.settings.recipe_files import split_flags
from tests.interrupts.recipe import write_recipe
from tests.invariants.marks import deepspeed_problem
from tests.processes import run_command

ROOT = Path(__file__).parents[2]
NAMES = ["ddp", "fsdp2", "single", "zero2", "zero3", "zero3-offload"]
ON_CPU = ROOT / "tests" / "accelerate"


def test_the_modes_are_there():
    assert sorted(path.stem for path in (ROOT / "recipes" / "accelerate").glob("*")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_accelerate_takes_every_configuration(name):
    """As it stands, and as `accelerate launch` reads it."""
    config = load_config_from_file(str(find_config(name)))
    args = launch_command_parser().parse_args(["--config_file", str(find_config(name)), "script.py"])
    args = _validate_launch_command(args)[0]
    modes = {"ddp": args.multi_gpu, "fsdp2": args.use_fsdp, "single": True}
    assert modes.get(name, args.use_deepspeed)
    assert config.num_processes == args.num_processes == (1 if name == "single" else 8)
    if name.startswith("zero"):
        assert args.zero_stage == int(name[4])
        assert args.offload_param_device == ("cpu" if name.endswith("offload") else "none")
    if name == "fsdp2":
        assert args.fsdp_version == 2
    # Precision is the recipe's: a second place for it can only disagree.
    assert args.mixed_precision == "no" and not config.use_cpu


@pytest.mark.parametrize("path", sorted(ON_CPU.glob("*.yaml")), ids=lambda path: path.stem)
def test_what_the_tests_run_differs_in_the_processes_alone(path):
    wanted, found = (yaml.safe_load(file.read_text()) for file in (find_config(path.stem), path))
    assert found["use_cpu"] and found["num_processes"] == 2
    for key in ("distributed_type", "deepspeed_config"):
        assert found.get(key) == wanted.get(key)


def test_options_are_told_apart():
    words = ["--config", "r.yaml", "--accelerate_config=zero3", "--num_processes", "4", "--ntl_loss=mae"]
    options, rest = split_options(split_flags(words))
    assert options == {"--accelerate_config": "zero3", "--num_processes": "4"}
    assert rest == ["--config", "r.yaml", "--ntl_loss", "mae"]
    assert split_options(rest) == ({}, rest)


CONFIGS = {
    "unknown keys": ("distributed_type: MULTI_GPU\nnum_procs: 2\n", r"unknown keys \(\['num_procs'\]\)"),
    "no mode": ("num_processes: 2\n", "`distributed_type` must be specified"),
    "unknown mode": ("distributed_type: ZERO3\n", "'ZERO3' is not a valid DistributedType"),
    "a mode that is not ours": (
        "distributed_type: XLA\nnum_processes: 2\n",
        "`distributed_type: XLA` is not supported",
    ),
    "no precision": ("distributed_type: MULTI_GPU\nmixed_precision: bf17\n", "`mixed_precision` is 'bf17'"),
    "no machine": (
        "distributed_type: MULTI_GPU\nnum_processes: 2\nnum_machines: 0\n",
        "wrong.yaml: `num_machines` is 0",
    ),
    "a word for a number": ("distributed_type: MULTI_GPU\nnum_processes: two\n", "wrong.yaml: `num_processes` is two"),
    "several processes for one": ("distributed_type: 'NO'\nnum_processes: 2\n", "starts one process, not 2"),
    "fewer GPUs named than used": (
        "distributed_type: MULTI_GPU\nnum_processes: 2\ngpu_ids: '0'\n",
        "for 2 processes on this machine",
    ),
    "a list": ("- 1\n", "no accelerate configuration"),
    "empty": ("", "no accelerate configuration"),
    "no YAML": ("a: [1\n", "no accelerate configuration"),
    "one process that looks like more": ("distributed_type: MULTI_CPU\nnum_processes: 2\n", "starts a single process"),
    "no number": ("distributed_type: MULTI_GPU\nuse_cpu: true\n", "add --num_processes N"),
    "a cluster of SageMaker": (
        "compute_environment: AMAZON_SAGEMAKER\ndistributed_type: DATA_PARALLEL\n"
        "ec2_instance_type: a\niam_role_name: b\n",
        "SageMaker",
    ),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_wrong_file_is_refused_with_one_line(case, tmp_path, capsys):
    content, message = CONFIGS[case]
    (tmp_path / "wrong.yaml").write_text(content)
    _check_refused(["--accelerate_config", str(tmp_path / "wrong.yaml")], message, capsys)


OPTIONS = {
    "no such file": (["--accelerate_config", "zero4"], "no such file, and none of ddp, fsdp2, single"),
    "no value": (["--accelerate_config"], "--accelerate_config needs a value"),
    "a flag for a value": (["--accelerate_config", "--num_processes", "2"], "--accelerate_config needs a value"),
    "no configuration": (["--num_processes", "2"], "name an --accelerate_config"),
    "no processes": (["--accelerate_config", "ddp", "--num_processes", "0"], "--num_processes is 0"),
    "no port": (["--accelerate_config", "ddp", "--main_process_port", "abc"], "--main_process_port is abc"),
    "no address": (["--accelerate_config", "ddp", "--num_machines", "2"], "need --main_process_ip"),
    "several processes for one": (
        ["--accelerate_config", "single", "--num_processes", "2"],
        "starts one process, not 2",
    ),
    "not a number": (["--accelerate_config", "ddp", "--num_processes", "two"], "--num_processes is two"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_wrong_options_are_refused_with_one_line(case, capsys):
    _check_refused(*OPTIONS[case], capsys)


@pytest.mark.parametrize(("devices", "hint"), [(0, "`--accelerate_config single`"), (3, "--num_processes 3")])
def test_more_processes_than_devices(devices, hint, monkeypatch, capsys):
    monkeypatch.setattr("torch.accelerator.device_count", lambda: devices)
    words = ["--accelerate_config", "ddp", "--num_processes", "4"]
    _check_refused(words, f"for 4 processes on this machine, GPUs here: {devices}; .*{hint}", capsys)


def test_devices_are_counted_for_each_machine(monkeypatch):
    monkeypatch.setattr("torch.accelerator.device_count", lambda: 4)
    started = []
    monkeypatch.setattr(launcher, "_run_processes", lambda args: started.append(args.num_processes) or 0)
    words = ["sft", "--accelerate_config", "ddp", "--num_processes", "8", "--main_process_ip", "::1", "--num_machines"]
    assert main([*words, "2"]) == 0 and started == [8]
    assert main([*words, "1"]) == 2


def test_commands_that_start_at_once_do_not_meet_at_one_port(tmp_path, monkeypatch):
    """A port that is found free may be taken before it is used; torchrun's `--standalone` lets the system pick one."""
    seen = []
    monkeypatch.setattr("torch.distributed.run.run", seen.append)
    recipe, with_port = tmp_path / "recipe.yaml", tmp_path / "port.yaml"
    recipe.write_text("max_steps: 1\n")
    words = ["sft", "--accelerate_config", str(ON_CPU / "ddp.yaml"), "--config", str(recipe)]
    with_port.write_text((ON_CPU / "ddp.yaml").read_text() + "main_process_port: 29777\n")
    machines = ["--num_machines", "2", "--machine_rank", "1", "--main_process_ip", "::1"]
    for more in ([], ["--main_process_port", "29778"], ["--accelerate_config", str(with_port)], machines):
        assert main([*words, *more]) == 0
    assert [args.standalone for args in seen] == [True, False, False, False]
    assert [args.master_port for args in seen[1:3]] == ["29778", "29777"]
    assert seen[3].rdzv_endpoint == "::1:29500"


def test_deepspeed_that_is_not_installed(monkeypatch, capsys):
    monkeypatch.setattr("accelerate.utils.is_deepspeed_available", lambda: False)
    _check_refused(["--accelerate_config", "zero3"], r"pip install 'ntl-hf\[deepspeed\]'", capsys)


def _check_refused(words, message, capsys):
    assert main(["sft", "--config", "tiny-decoder/arithmetic", *words]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1 and error[0].startswith("ntl-hf: error: ")
    with pytest.raises(UsageError, match=message):
        raise UsageError(error[0])


def test_a_signal_that_nobody_else_can_have_ends_the_launcher():
    """While it waits for other machines, it has no processes to pass it on to."""
    child = os.fork()
    if not child:
        with launcher._signals_passed_on():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 128 + signal.SIGTERM


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells a process of its parent's end")
def test_processes_end_with_a_launcher_that_is_killed(monkeypatch):
    read, write = os.pipe()
    parent = os.fork()
    if not parent:
        monkeypatch.setenv("NTL_HF_LAUNCHED", "1")
        if not os.fork():
            launcher.end_with_launcher()
            os.write(write, b"ready")
            signal.pause()
        signal.pause()
    os.close(write)
    assert os.read(read, 5) == b"ready"
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    ready, _, _ = select.select([read], [], [], 20)
    assert ready and os.read(read, 1) == b"", "the pipe's last writer is still there"


def _launch(folder, *words):
    command = [sys.executable, "-m", "ntl_hf.cli.main", "sft", "--config", str(folder / "recipe.yaml"), *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)


_ZERO3_MARKS = [
    pytest.mark.distributed,
    pytest.mark.skipif(bool(deepspeed_problem()), reason=str(deepspeed_problem())),
]


@pytest.mark.parametrize(
    ("mode", "kind"), [("ddp", "MULTI_CPU"), pytest.param("zero3", "DEEPSPEED", marks=_ZERO3_MARKS)]
)
def test_two_processes_through_the_launcher(mode, kind, tmp_path):
    write_recipe(tmp_path, max_steps=2)
    recipe, config = tmp_path / "recipe.yaml", ON_CPU / f"{mode}.yaml"
    # The launcher itself, too, would import what its processes do.
    run = run_command("sft", "--config", recipe, "--accelerate_config", config, timeout=280)
    assert run.returncode == 0, run.stderr[-3000:]
    assert f"Training in 2 processes, {kind}." in run.stderr
    checkpoint = tmp_path / "out" / "checkpoint-2"
    assert (checkpoint / "rng_state_1.pth").is_file()
    if mode == "zero3":
        assert len(list(checkpoint.glob("global_step2/*optim_states.pt"))) == 2
    # Twelve rows a process: two steps of four are two thirds of an epoch.
    state = json.loads((tmp_path / "out" / "trainer_state.json").read_text())
    assert state["epoch"] == pytest.approx(2 / 3)


@pytest.mark.slow
def test_what_the_processes_refuse_is_one_line(tmp_path):
    write_recipe(tmp_path, max_steps=2)
    run = _launch(tmp_path, "--accelerate_config", str(ON_CPU / "ddp.yaml"), "--ntl_loss", "waz")
    assert run.returncode == 2
    assert run.stderr.count("ntl-hf: error: ") == run.stderr.count("`ntl_loss` is 'waz'") == 1
    assert "Traceback" not in run.stderr and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_single_takes_the_place_of_the_launcher(tmp_path):
    write_recipe(tmp_path, max_steps=1)
    run = _launch(tmp_path, "--accelerate_config", "single")
    assert run.returncode == 0, run.stderr[-3000:]
    assert "Training in one process." in run.stderr
