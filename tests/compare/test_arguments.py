"""Settings on their way to the argument classes: what is secret of them goes through no file."""

import os
from pathlib import Path

import pytest

from ntl_hf.compare.arguments import parse
from ntl_hf.runs import sft
from ntl_hf.settings.errors import UsageError


@pytest.fixture
def written(monkeypatch):
    """All that is written through a path, and whatever it does to the environment is undone."""
    texts, write = [], Path.write_text
    monkeypatch.setattr(
        Path, "write_text", lambda path, text, **kwargs: texts.append(text) or write(path, text, **kwargs)
    )
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return texts


def test_secrets_reach_the_arguments_and_no_file(written, tmp_path):
    recipe = {
        "output_dir": str(tmp_path),
        "use_cpu": True,
        "max_steps": 3,
        "hub_token": "s3cr3t-1",
        "model_init_kwargs": {"token": "s3cr3t-2", "attn_implementation": "eager"},
        "env": {"A_VARIABLE": "s3cr3t-3", "A_NUMBER": 4},
    }
    *_, args, _ = parse(sft.ARGUMENT_CLASSES, recipe, "the recipe")
    assert args.hub_token == "s3cr3t-1" and args.max_steps == 3
    assert args.model_init_kwargs == recipe["model_init_kwargs"]
    assert (os.environ["A_VARIABLE"], os.environ["A_NUMBER"]) == ("s3cr3t-3", "4")
    assert not written


def test_an_environment_that_is_none(written, tmp_path):
    with pytest.raises(UsageError, match="`env` must hold names and values"):
        parse(sft.ARGUMENT_CLASSES, {"output_dir": str(tmp_path), "env": "A=1"}, "the recipe")
