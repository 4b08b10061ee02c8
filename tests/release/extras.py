"""What each extra is for: refused without it, by its name; working with it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .environments import Environment


@dataclass(frozen=True)
class Extra:
    """One extra of pyproject.toml.

    Attributes:
        without: what is asked for in an environment without it; returns what is printed, which names the extra. None
            where nothing of the library asks for it.
        use: the same with it; exits where it does not work.
        install: options of pip for it.
    """

    use: Callable[[Environment], object]
    without: Callable[[Environment], str] | None = None
    install: tuple[str, ...] = ()


_SCORES = """
from ntl_hf.evaluation import score_answers
print(score_answers(["a 4"], ["a 5"], [5.0], ["4"], resamples=2))
"""
_HARNESS = """
from ntl_hf.evaluation.harness import prepare_tasks
prepare_tasks(["gsm8k"], gsm8k_folder=".")
"""


def _train(environment: Environment, *words: str, code: int = 0) -> str:
    return environment.ntl_hf("sft", "--config", "recipe.yaml", *words, code=code)


def _evaluate(environment: Environment) -> str:
    words = ["--model_name_or_path", "model", "--debug", "--lm_eval_tasks", "gsm8k", "--lm_eval_num_fewshot", "1"]
    return environment.ntl_hf("evaluate", "--config", "recipe.yaml", *words)


def _quickstart(environment: Environment) -> str:
    return environment.ntl_hf("quickstart", "--debug", "--jobs", "1")


def _draws(environment: Environment) -> None:
    assert ".png" in _quickstart(environment)


def _reads_gguf(environment: Environment) -> None:
    """Of a file with the vocabulary of GPT-2's kind that the extra itself writes."""
    environment.run("write_gguf.py")
    assert "10 number tokens" in environment.ntl_hf("inspect", "gguf", "--gguf_file", "tiny.gguf")


def _starts_deepspeed(environment: Environment) -> None:
    """One process, two steps; it compiles an operator first."""
    _train(environment, "--accelerate_config", "zero2-cpu.yaml", "--output_dir", "out-zero2")


EXTRAS: dict[str, Extra] = {
    "plots": Extra(_draws, _quickstart),
    "evaluation": Extra(lambda env: env.run("-c", _SCORES), lambda env: env.run("-c", _SCORES, code=1)),
    # Without it, transformers asks for it where it needs it, in words of its own.
    "gguf": Extra(_reads_gguf),
    "qlora": Extra(
        lambda env: _train(env, "--load_in_4bit", "true", "--output_dir", "out-qlora"),
        lambda env: _train(env, "--load_in_4bit", "true", "--output_dir", "out-qlora", code=2),
    ),
    # `evaluate` asks for its own libraries first, which the harness brings along.
    "lm-eval": Extra(_evaluate, lambda env: env.run("-c", _HARNESS, code=1)),
    "deepspeed": Extra(
        _starts_deepspeed,
        lambda env: _train(env, "--accelerate_config", "zero2", "--num_processes", "1", code=2),
        ("--no-build-isolation",),
    ),
    "docs": Extra(lambda env: env.run("-c", "import material, mkdocs, mkdocstrings_handlers.python")),
    "demo": Extra(lambda env: env.run("-c", "import gradio, matplotlib")),
}

WRITE_GGUF = """
from pathlib import Path
from gguf import GGUFWriter
characters = [chr(c) for c in range(33, 127)] + ["Ġ"]
Path("gguf").mkdir(exist_ok=True)
writer = GGUFWriter("gguf/tiny.gguf", "llama")
writer.add_tokenizer_model("gpt2")
writer.add_tokenizer_pre("gpt-2")
writer.add_token_list(["<s>", "</s>", *characters, "ab"])
writer.add_token_types([3, 3] + [1] * (len(characters) + 1))
writer.add_token_merges(["a b"])
writer.add_bos_token_id(0)
writer.add_eos_token_id(1)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
"""


def write_inputs(work: Path) -> None:
    """The files, beside a recipe, that the extras are tried on."""
    (work / "write_gguf.py").write_text(WRITE_GGUF)
