"""`ntl-hf evaluate` on what `ntl-hf sft` and `train` leave behind: files, scores, adapters, refusals."""

import json
import shutil
import warnings
from pathlib import Path

import pytest

from ntl_hf.cli.main import main
from ntl_hf.compare.metric_labels import check_metrics
from ntl_hf.decoding import number_range, predict_numbers
from ntl_hf.evaluation import from_json, score_answers
from tests.tiny import ARCHITECTURES, char_tokenizer, tiny_model

FAST = ["--max_new_tokens", "12", "--resamples", "20", "--use_cpu", "true", "--per_device_eval_batch_size", "3"]


def evaluate(recipe, model, out, *words):
    argv = ["evaluate", "--config", recipe, "--model_name_or_path", str(model), "--output_dir", str(out), *FAST]
    return main([*argv, *words])


EXACT = ["--number_decoding", "mean", "--number_decoding_candidates", "exact", "--number_decoding_format"]


def read(out):
    metrics = json.loads((out / "metrics.json").read_text())
    return metrics, [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]


@pytest.fixture
def trained(recipe, tmp_path):
    """An adapter, trained by the recipe."""
    assert main(["sft", "--config", recipe()]) == 0
    return tmp_path / "out"


def test_an_adapter_finds_its_base_model(recipe, trained, tmp_path, capsys):
    assert evaluate(recipe(), trained, tmp_path / "ev") == 0
    metrics, rows = read(tmp_path / "ev")
    assert metrics["rows"] == len(rows) == 16 and [row["row"] for row in rows] == list(range(16))
    assert rows[0]["prompt"].startswith("Question: ") and "####" in rows[0]["reference"]
    scores = from_json(metrics["metrics"])
    assert scores["cross_entropy"].low < scores["cross_entropy"].value < scores["cross_entropy"].high
    assert metrics["settings"]["task"] == "gsm8k" and metrics["settings"]["max_new_tokens"] == 12
    printed = capsys.readouterr().out
    assert "number_accuracy" in printed and str(tmp_path / "ev") in printed
    # It is the adapter that is scored: without it, another cross entropy.
    assert evaluate(recipe(), tmp_path / "model", tmp_path / "base") == 0
    base = from_json(read(tmp_path / "base")[0]["metrics"])
    assert base["cross_entropy"].value > scores["cross_entropy"].value


def test_metrics_are_those_of_the_predictions(recipe, trained, tmp_path):
    """The files agree with each other: what is reported can be made again from what was said."""
    assert evaluate(recipe(), trained, tmp_path / "ev") == 0
    metrics, rows = read(tmp_path / "ev")
    from ntl_hf.data import final_answer

    columns = {name: [row[name] for row in rows] for name in ("prediction", "reference", "target")}
    answers = [final_answer(text, "####") for text in columns["prediction"]]
    again = score_answers(columns["prediction"], columns["reference"], columns["target"], answers, resamples=20)
    reported = from_json(metrics["metrics"])
    for name, score in again.items():
        assert reported[name] == score or score.value != score.value, name
    unreadable = [row["number"] is None for row in rows]
    assert reported["unreadable"].value == pytest.approx(sum(unreadable) / len(rows))


def test_the_default_folder_is_beside_the_model_and_not_written_over(recipe, trained, capsys):
    words = ["evaluate", "--config", recipe(), "--model_name_or_path", str(trained), *FAST, "--max_eval_samples", "2"]
    assert main(words) == 0
    before = (trained / "evaluation" / "metrics.json").read_text()
    assert main(words) == 2
    assert "holds another evaluation" in capsys.readouterr().err
    assert (trained / "evaluation" / "metrics.json").read_text() == before
    assert main([*words, "--overwrite_output_dir", "true", "--seed", "3"]) == 0
    assert read(trained / "evaluation")[0]["settings"]["seed"] == 3


def test_a_base_model_that_was_moved(recipe, trained, tmp_path, capsys):
    shutil.move(tmp_path / "model", tmp_path / "elsewhere")
    assert evaluate(recipe(), trained, tmp_path / "ev") == 2
    assert "name it as `base_model_name_or_path`" in capsys.readouterr().err
    moved = ["--base_model_name_or_path", str(tmp_path / "elsewhere")]
    assert evaluate(recipe(), trained, tmp_path / "ev", *moved) == 0


def test_an_adapter_with_added_digits(recipe, tmp_path):
    """Its tokenizer is longer than that of the base model on disk."""
    letters = char_tokenizer("abcdefghijklmnopqrstuvwxyz+-*/=().,?# ")
    letters.save_pretrained(tmp_path / "model")
    tiny_model("llama", vocab_size=len(letters)).save_pretrained(tmp_path / "model")
    assert main(["sft", "--config", recipe(add_digit_tokens=True)]) == 0
    assert evaluate(recipe(add_digit_tokens=True), tmp_path / "out", tmp_path / "ev") == 0
    metrics = read(tmp_path / "ev")[0]["metrics"]
    assert metrics["number_mass"]["value"] > 0


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_whole_models_and_data_of_ones_own(kind, recipe, tmp_path):
    model = tmp_path / "model"
    shutil.rmtree(model, ignore_errors=True)
    tiny_model(kind).save_pretrained(model)
    char_tokenizer().save_pretrained(model)
    rows = [{"q": f"{i}+{i}=", "a": str(2 * i)} for i in range(5)]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    columns = json.dumps({"prompt": "{q}", "completion": "{a}", "target": "a"})
    words = ["evaluate", "--model_name_or_path", str(model), "--dataset_name", str(tmp_path / "own.jsonl")]
    assert main([*words, "--columns", columns, "--output_dir", str(tmp_path / "ev"), *FAST]) == 0
    metrics, lines = read(tmp_path / "ev")
    assert [line["target"] for line in lines] == [0, 2, 4, 6, 8] and ARCHITECTURES[kind]
    assert metrics["metrics"]["number_rows"]["value"] == 5


def own_data(tmp_path, kind):
    """A whole model, and sums as data of one's own: the words that name them."""
    model = tmp_path / "model"
    shutil.rmtree(model, ignore_errors=True)
    tiny_model(kind).save_pretrained(model)
    char_tokenizer().save_pretrained(model)
    rows = [{"prompt": f"{i}+{i}=", "completion": f" {2 * i}", "target": 2 * i} for i in range(9)]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = ["evaluate", "--model_name_or_path", str(model), "--dataset_name", str(tmp_path / "own.jsonl"), *FAST]
    return [*words, "--output_dir", str(tmp_path / "ev")]


@pytest.mark.parametrize("kind", ["llama", "t5"])
def test_exact_numbers_are_those_of_the_library_call(kind, tmp_path):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*none of the answers")
        assert main([*own_data(tmp_path, kind), *EXACT, " {0-20}", "--resamples", "200"]) == 0
    metrics, lines = read(tmp_path / "ev")
    wanted = predict_numbers(
        *(tiny_model(kind).eval(), char_tokenizer()),
        *([line["prompt"] for line in lines], "squared"),
        **{"candidates": "exact", "formats": number_range(" {0-20}")},
    )
    assert [line["decoded"] for line in lines] == pytest.approx([each.value for each in wanted], rel=1e-4)
    # ... and the metrics are those of the rows, the greedy ones beside them.
    scores, numbers = from_json(metrics["metrics"]), [(line["decoded"], line["target"]) for line in lines]
    assert scores["decoded_mae"].value == pytest.approx(sum(abs(given - true) for given, true in numbers) / 9)
    assert scores["decoded_mae"].low < scores["decoded_mae"].value < scores["decoded_mae"].high
    inside = [low <= line["target"] <= high for line in lines for low, high in [line["interval_80"]]]
    assert scores["coverage_80"].value == pytest.approx(sum(inside) / 9)
    width = sum(high - low for line in lines for low, high in [line["interval_80"]]) / 9
    assert scores["interval_width_80"].value == pytest.approx(width) and scores["crps"].value > 0
    mass = sum(line["unreadable_mass"] for line in lines) / 9
    assert scores["decoded_unreadable_mass"].value == pytest.approx(mass)
    assert scores["decoded_unreadable"].value == 0 and "mae" in scores and "digit_ece" in scores
    assert metrics["settings"]["number_decoding_format"] == " {0-20}"
    # A comparison can show whatever is not a count.
    check_metrics(name for name in scores if name not in ("rows", "tokens") and not name.endswith("_rows"))


def test_a_format_that_the_completions_do_not_have(tmp_path):
    words = own_data(tmp_path, "llama")
    with pytest.warns(UserWarning, match="9 of 9 completions are none of the answers .* such as ' 0' beside '0'"):
        assert main([*words, *EXACT, "0-20"]) == 0
    with pytest.warns(UserWarning, match="3 of 9 completions are none of the answers .* such as ' 12' beside ' 0'"):
        assert main([*words, *EXACT, " {0-10}", "--overwrite_output_dir", "true"]) == 0


@pytest.mark.parametrize("candidates", ["samples", "beams"])
def test_the_median_of_what_a_model_says(candidates, tmp_path, capsys):
    words = ["--number_decoding", "median", "--number_decoding_candidates", candidates, "--number_decoding_num", "4"]
    assert main([*own_data(tmp_path, "llama"), *words]) == 0
    metrics, lines = read(tmp_path / "ev")
    unreadable = [line["decoded"] is None for line in lines]
    assert metrics["metrics"]["decoded_unreadable"]["value"] == pytest.approx(sum(unreadable) / 9)
    assert [line["interval_80"] is None for line in lines] == unreadable
    assert "decoded_mae" in capsys.readouterr().out


def test_without_number_decoding_there_is_no_word_of_it(tmp_path):
    assert main(own_data(tmp_path, "llama")) == 0
    metrics, lines = read(tmp_path / "ev")
    assert not [name for name in metrics["metrics"] if name.startswith("decoded") or name == "crps"]
    assert all("decoded" not in line for line in lines)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--model_name_or_path", "nowhere"], "nowhere"),
        (["--per_device_eval_batch_size", "0"], "`per_device_eval_batch_size` must be 1 or more"),
        (["--dataset_test_split", "dev"], "not 'dev'"),
        (["--base_model_name_or_path", "x"], "is no adapter"),
        (["--confidence", "95"], "`confidence` must be between 0 and 1, such as 0.95, not 95"),
        (["--dtype", "foo"], "`dtype` is 'foo'"),
        (["--temperature", "0.5"], "are of sampling: add --do_sample true"),
        (["--max_new_token", "3"], "Did you mean '--max_new_tokens'"),
        (["--number_decoding", "middle"], "invalid choice: 'middle'"),
        (["--number_decoding", "mean", "--number_decoding_num", "0"], "`number_decoding_num` must be 1 or more"),
        (["--number_decoding_format", "0-9"], "is of `number_decoding`: name an estimate, or remove it"),
        (
            ["--number_decoding", "mean", "--number_decoding_candidates", "exact"],
            "give both, such as 0-10, or neither",
        ),
        (["--number_decoding", "mean", "--number_decoding_format", "0-9"], "give both, such as 0-10, or neither"),
        ([*EXACT, "9"], "A range must be written as 0-10, 000-999, 0.0-9.9 or ' {0-10}', not '9'"),
        ([*EXACT, "0-9"], "The format '0' has no number after '####'"),
    ],
)
def test_bad_input(words, message, recipe, tmp_path, capsys):
    argv = ["evaluate", "--config", recipe(), "--output_dir", str(tmp_path / "ev"), *FAST]
    model = [] if "--model_name_or_path" in words else ["--model_name_or_path", str(tmp_path / "model")]
    assert main([*argv, *model, *words]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not (tmp_path / "ev").exists()


def test_the_model_has_to_be_named(recipe, tmp_path, capsys):
    """A recipe's own is the one that training started from."""
    assert main(["evaluate", "--config", recipe(), "--output_dir", str(tmp_path / "ev")]) == 2
    assert "`model_name_or_path` is missing" in capsys.readouterr().err


def test_the_model_has_to_be_there(recipe, tmp_path, capsys):
    words = ["evaluate", "--config", recipe(), "--model_name_or_path"]
    assert main([*words, "nowhere"]) == 2
    assert "There is no folder nowhere; if it is a hub id, `output_dir` is missing" in capsys.readouterr().err
    checkpoint = tmp_path / "run" / "checkpoint-6"
    checkpoint.mkdir(parents=True)
    assert main([*words, str(tmp_path / "run"), *FAST]) == 2
    error = capsys.readouterr().err
    assert f"run holds no model (no config.json or adapter_config.json); its last checkpoint is {checkpoint}" in error


def max_steps(folder):
    return json.loads((Path(folder) / "trainer_state.json").read_text())["max_steps"]


def test_debug_runs_of_all_commands(recipe, tmp_path, capfd):
    """A few steps, and nothing in the recipe's own folder."""
    path = recipe(max_steps=1000)
    assert main(["sft", "--config", path, "--debug"]) == 0
    folder = capfd.readouterr().out.split("written to ")[1].split(".\n")[0]
    assert max_steps(folder) == 3
    assert main(["train", "--debug", "--config", path, "--max_steps", "2"]) == 0
    other = capfd.readouterr().out.split("written to ")[1].split(".\n")[0]
    assert other != folder and max_steps(other) == 2
    assert main(["evaluate", "--config", path, "--model_name_or_path", folder, "--use_cpu", "true", "--debug"]) == 0
    third = capfd.readouterr().out.split("written to ")[1].split(".\n")[0]
    assert read(Path(third))[0]["rows"] == 8
    assert not (tmp_path / "out").exists()
    for each in (folder, other, third):
        shutil.rmtree(each)


def test_answers_are_kept_when_scoring_fails(recipe, tmp_path, monkeypatch):
    """They took the time."""
    from ntl_hf.runs import answering as script

    def fail(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(script, "teacher_forced_sums", fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        evaluate(recipe(), tmp_path / "model", tmp_path / "ev")
    assert len((tmp_path / "ev" / "predictions.jsonl").read_text().splitlines()) == 16
    assert not (tmp_path / "ev" / "metrics.json").exists()


def test_a_missing_library_is_named_before_anything_is_generated(recipe, tmp_path, monkeypatch, capsys):
    from ntl_hf.evaluation import libraries

    monkeypatch.setattr(libraries, "find_spec", lambda name: None if name == "sacrebleu" else name)
    assert evaluate(recipe(), tmp_path / "model", tmp_path / "ev") == 2
    assert "`sacrebleu`: pip install 'ntl-hf[evaluation]'" in capsys.readouterr().err
    assert not (tmp_path / "ev").exists()


@pytest.mark.parametrize("target", ["twelve", "nan"])
def test_a_target_that_is_no_number(target, recipe, tmp_path, capsys):
    recipe()
    rows = [{"prompt": "1+1=", "completion": "2", "target": "2"}, {"prompt": "a", "completion": "b", "target": target}]
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = ["evaluate", "--model_name_or_path", str(tmp_path / "model"), "--output_dir", str(tmp_path / "ev")]
    assert main([*words, "--dataset_name", str(tmp_path / "own.jsonl"), *FAST]) == 2
    assert f"row 2: the target is '{target}'; a number is needed" in capsys.readouterr().err
    assert not (tmp_path / "ev").exists()


def test_completions_that_do_not_read_as_their_target(recipe, tmp_path):
    recipe()
    rows = [{"prompt": "1+1=", "completion": "1 and 1 are 2", "target": 2}] * 2
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = ["evaluate", "--model_name_or_path", str(tmp_path / "model"), "--output_dir", str(tmp_path / "ev")]
    with pytest.warns(UserWarning, match="2 of 2 completions do not read as their target"):
        assert main([*words, "--dataset_name", str(tmp_path / "own.jsonl"), *FAST]) == 0


def test_answers_of_an_unfinished_evaluation_are_not_written_over(recipe, tmp_path, capsys):
    (tmp_path / "ev").mkdir()
    (tmp_path / "ev" / "predictions.jsonl").write_text("kept")
    assert evaluate(recipe(), tmp_path / "model", tmp_path / "ev") == 2
    assert "holds another evaluation" in capsys.readouterr().err
    assert (tmp_path / "ev" / "predictions.jsonl").read_text() == "kept"
