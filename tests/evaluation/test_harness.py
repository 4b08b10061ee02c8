"""Tasks of lm-evaluation-harness on a model in memory: GSM8K from local files, scores by hand, refusals."""

import importlib.util
import json
import socket
import sys
from pathlib import Path

import pytest
import torch
import yaml
from peft import LoraConfig, get_peft_model

from ntl_hf.cli.main import main
from ntl_hf.evaluation import harness
from tests.tiny import CHARACTERS, char_tokenizer, tiny_model

installed = pytest.mark.skipif(importlib.util.find_spec("lm_eval") is None, reason="lm_eval is not installed")
TOKENIZER = char_tokenizer("".join(dict.fromkeys(CHARACTERS + "QA:\n<>")))
# For each question: what a model says, whether strict-match (after ####) and flexible-extract (last number) accept it.
CASES = {
    "how many legs have 3 cats?": ("12", " 3*4=<<3*4=12>>12\n#### 12", True, True),
    "what is 500 and 700?": ("1,200", " so the answer is 1200", False, True),
    "what is 2-7?": ("-5", " #### -5\nQuestion: what is 1? 9", True, True),
    "how old is he?": ("41", " #### 14", False, False),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Four rows a split in GSM8K's form, and no way to the network."""
    rows = [{"question": q, "answer": f"it is <<{a}={a}>>{a}\n#### {a}"} for q, (a, *_) in CASES.items()]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    examples = [{"question": f"{i}+{i}?", "answer": f"{i}+{i}={2 * i}\n#### {2 * i}"} for i in range(4)]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, examples)))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(socket.socket, "connect", _no_network)
    return tmp_path


def _no_network(*_):
    raise AssertionError("a connection was opened")


def small(kind="llama"):
    return tiny_model(kind, **({} if kind == "t5" else {"max_position_embeddings": 1024})).eval()


def scores(results):
    of_task = results["results"]["gsm8k"]
    return of_task["exact_match,strict-match"], of_task["exact_match,flexible-extract"]


def script(model):
    """Let the model answer as in `CASES`, and keep its prompts."""
    prompts = []

    def generate(input_ids, max_length, **_):
        said = []
        for row in input_ids:
            prompts.append(TOKENIZER.decode([i for i in row.tolist() if i != TOKENIZER.pad_token_id]))
            question = prompts[-1].rsplit("Question: ", 1)[1].split("\n")[0]
            said.append(TOKENIZER(CASES[question][1] + "</s>")["input_ids"])
        longest = max(map(len, said))
        assert longest <= max_length - input_ids.shape[1]
        pads = [ids + [TOKENIZER.pad_token_id] * (longest - len(ids)) for ids in said]
        return torch.cat([input_ids, torch.tensor(pads)], 1)

    model.generate = generate
    return prompts


@installed
@pytest.mark.parametrize("shots", [0, 2])
def test_scores_and_prompts_by_hand(shots, folder):
    model = small()
    prompts = script(model)
    prepared = harness.prepare_tasks(["gsm8k"], shots, folder)
    results = harness.run_tasks(prepared, model, TOKENIZER, batch_size=3)
    assert scores(results) == (2 / 4, 3 / 4)
    assert results["n-shot"] == {"gsm8k": shots} and results["n-samples"]["gsm8k"]["effective"] == 4
    assert {prompt.rsplit("Question: ", 1)[1] for prompt in prompts} == {f"{q}\nAnswer:" for q in CASES}
    for prompt in prompts:
        # The examples are of train.jsonl, with their worked answers.
        assert prompt.count("Question: ") == shots + 1 and prompt.count("\n#### ") == shots
        assert all(part.split("?")[0] in {f"{i}+{i}" for i in range(4)} for part in prompt.split("Question: ")[1:-1])


@installed
def test_the_same_as_the_harness_itself(folder):
    """Its own model class and its packaged task, with nothing but the source of the rows changed."""
    import lm_eval
    from lm_eval.models.huggingface import HFLM

    model = small()
    task = yaml.safe_load((Path(lm_eval.__file__).parent / "tasks" / "gsm8k" / "gsm8k.yaml").read_text())
    files = {split: str(folder / f"{split}.jsonl") for split in ("train", "test")}
    task |= {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": files}}
    task.pop("tag")
    script(model)
    manager = harness.prepare_tasks(["gsm8k"], 2, folder).manager
    wrapped = HFLM(pretrained=model, tokenizer=TOKENIZER, batch_size=2)
    settings = {"num_fewshot": 2, "limit": 3, "log_samples": False, "task_manager": manager}
    direct = lm_eval.simple_evaluate(wrapped, tasks=[task], **settings)
    prepared = harness.prepare_tasks(["gsm8k"], 2, folder)
    ours = harness.run_tasks(prepared, model, TOKENIZER, batch_size=2, limit=3)
    assert ours["results"] == direct["results"] and scores(ours) == (2 / 3, 1)


@installed
@pytest.mark.parametrize("kind", ["llama", "t5", "adapter"])
def test_models_that_answer_themselves(kind, folder):
    model = small("t5" if kind == "t5" else "llama-tied")
    if kind == "adapter":
        # Rows of its own in a tied embedding, as when digits were added.
        config = LoraConfig(target_modules="all-linear", trainable_token_indices={"embed_tokens": [4, 5, 6]})
        model = get_peft_model(model, config).eval()
    answers, generate = [], model.generate

    def record(**settings):
        ids = generate(**settings)
        answers.append(ids.shape[1] - (0 if kind == "t5" else settings["input_ids"].shape[1]))
        return ids

    model.generate = record
    prepared = harness.prepare_tasks(["gsm8k", "gsm8k"], 0, folder)
    results = harness.run_tasks(prepared, model, TOKENIZER, batch_size=2, max_new_tokens=7, limit=2)
    assert results["n-samples"]["gsm8k"]["effective"] == 2 and all(0 <= score <= 1 for score in scores(results))
    if kind != "t5":
        assert answers == [7]
    assert "tie_weights" not in vars(model)


@installed
def test_a_context_that_is_too_short(folder):
    prepared = harness.prepare_tasks(["gsm8k"], 0, folder)
    with pytest.raises(ValueError, match=r"max tokens to generate \(256\)"):
        harness.run_tasks(prepared, tiny_model("llama"), TOKENIZER, batch_size=2)


@installed
@pytest.mark.parametrize(
    ("names", "shots", "message"),
    [
        (["gsm8k"], None, "have 5 worked examples, and there are 4 to choose from"),
        (["gsm8k"], -1, "must be 0 or more, not -1"),
        (["gms8k"], 0, "no task 'gms8k'. Did you mean .*gsm8k"),
    ],
)
def test_refused(names, shots, message, folder):
    with pytest.raises(ValueError, match=message):
        harness.prepare_tasks(names, shots, folder)


@installed
def test_rows_that_are_broken_or_missing(folder):
    (folder / "train.jsonl").write_text('{"question": "1?", "answer": "#### 1"}\n{oops\n')
    with pytest.raises(ValueError, match=r"train\.jsonl, line 2: not valid JSON"):
        harness.prepare_tasks(["gsm8k"], 0, folder)
    (folder / "train.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match=r"train\.jsonl"):
        harness.prepare_tasks(["gsm8k"], 0, folder)


@pytest.fixture
def command(folder):
    small().save_pretrained(folder / "model")
    TOKENIZER.save_pretrained(folder / "model")
    words = ["--model_name_or_path", str(folder / "model"), "--task", "gsm8k", "--data_path", str(folder)]
    fast = ["--max_new_tokens", "5", "--resamples", "5", "--use_cpu", "true", "--max_eval_samples", "3"]
    return ["evaluate", *words, *fast, "--output_dir", str(folder / "out")]


@installed
def test_the_command_writes_and_prints(command, folder, capsys):
    assert main([*command, "--lm_eval_tasks", "gsm8k", "gsm8k_cot", "--lm_eval_num_fewshot", "2"]) == 0
    results = json.loads((folder / "out" / "lm_eval.json").read_text())
    assert set(results["results"]) == {"gsm8k", "gsm8k_cot"} and results["n-shot"]["gsm8k_cot"] == 2
    assert results["model"] == str(folder / "model") and results["n-samples"]["gsm8k"]["effective"] == 3
    printed = capsys.readouterr().out
    assert "strict-match" in printed and "number_accuracy" in printed
    # Our own metrics are the same without, and what the harness found before does not stay beside new ones.
    metrics = json.loads((folder / "out" / "metrics.json").read_text())["metrics"]
    assert main([*command, "--overwrite_output_dir", "true"]) == 0
    assert json.loads((folder / "out" / "metrics.json").read_text())["metrics"] == metrics
    assert not (folder / "out" / "lm_eval.json").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--lm_eval_tasks", "gsm8k"], "pip install 'ntl-hf[lm-eval]'"),
        (["--lm_eval_num_fewshot", "2"], "`lm_eval_num_fewshot` is of `lm_eval_tasks`"),
    ],
)
def test_refused_before_anything_is_loaded(words, message, command, folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    monkeypatch.setitem(sys.modules, "lm_eval.tasks", None)
    monkeypatch.setattr("ntl_hf.runs.evaluate.load_eval_data", _not_reached)
    assert main([*command, *words]) == 2
    (error,) = capsys.readouterr().err.strip().splitlines()
    assert message in error and not (folder / "out").exists()


def _not_reached(*_):
    raise AssertionError("something was loaded")
