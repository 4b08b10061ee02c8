"""The data of a recipe: tasks with their options and splits, columns, limits, streams, and what is refused."""

import json
from dataclasses import replace

import pytest
from datasets import Dataset, IterableDataset
from trl import TrlParser

from ntl_hf.data import (
    TextEncoder,
    arithmetic,
    calculations,
    cnn_dailymail,
    gsm8k,
    map_columns,
    mathematics,
    multirc,
    ratings,
    readings,
    rjokes,
)
from ntl_hf.runs.data import DataArguments, load_data, load_eval_data
from ntl_hf.runs.tasks import TASKS
from tests.tiny import char_tokenizer

LEVELS = ("train-easy", "train-medium", "train-hard", "interpolate", "extrapolate")
MAPPING = {"prompt": "{q}=", "completion": " {a}", "target": "a"}


def mathematics_in(folder, rows=4):
    """Both modules of arithmetic in all levels, whose questions say where they are from."""
    for level in LEVELS:
        (folder / level).mkdir()
        for module in ("arithmetic__add_sub_multiple", "arithmetic__add_sub_multiple_longer"):
            lines = [line for i in range(rows) for line in (f"{level} {module} {i}", str(i))]
            (folder / level / f"{module}.txt").write_text("\n".join(lines) + "\n")
    return str(folder)


def test_tasks_that_need_no_files():
    for task in ("arithmetic", "multiplication", "readings", "ratings"):
        args = DataArguments(task=task, max_train_samples=30, max_eval_samples=20)
        train, test = load_data(args, evaluates=True)
        assert (len(train), len(test)) == (30, 20)
        assert not set(train["prompt"]) & set(test["prompt"])
        assert list(load_data(replace(args, generator_seed=1), evaluates=False)[0]) != list(train)


@pytest.mark.parametrize("split", arithmetic.ROWS)
def test_arithmetic_reads_files_where_they_are(tmp_path, split):
    args = DataArguments(task="arithmetic", data_path=mathematics_in(tmp_path), dataset_test_split=split)
    prompts = load_eval_data(args)["prompt"]
    levels = {"train": LEVELS[:3], "extrapolate": LEVELS[4:]}.get(split, LEVELS[3:4])
    module = "arithmetic__add_sub_multiple" + "_longer" * (split == "extrapolate")
    assert sorted(prompts) == sorted(f"Question: {level} {module} {i}\nAnswer:" for level in levels for i in range(4))


def test_limits_reach_the_files(tmp_path):
    folder = mathematics_in(tmp_path)
    broken = tmp_path / "train-hard" / "arithmetic__add_sub_multiple.txt"
    broken.write_text(broken.read_text() + "no answer\n")
    args = DataArguments(task="mathematics", data_path=folder, max_train_samples=9)
    assert len(load_data(args, evaluates=False)[0]) == 9
    with pytest.raises(ValueError, match="line 9: the file ends"):
        load_data(replace(args, max_train_samples=None), evaluates=False)


def test_a_stream_trains_and_rows_evaluate(tmp_path):
    args = DataArguments(task="mathematics", data_path=mathematics_in(tmp_path), streaming=True, max_train_samples=5)
    train, test = load_data(args, evaluates=True, max_steps=3)
    assert isinstance(train, IterableDataset) and isinstance(test, Dataset)
    assert len(list(train)) == 5 and len(test) == 8
    with pytest.raises(ValueError, match="`streaming` needs `max_steps`"):
        load_data(args, evaluates=False, max_steps=-1)


@pytest.mark.parametrize("kind", [False, True])
def test_streams_are_encoded_as_rows_are(kind):
    encoder = TextEncoder(char_tokenizer(), kind, max_length=6)
    rows = Dataset.from_list(
        [{"prompt": "1" * n, "completion": "2" * n, "target": None if n == 2 else 1.0} for n in (1, 2, 4, 7)]
    )
    with pytest.warns(UserWarning, match="longer than `max_length` 6"):
        expected = list(encoder.encode(rows))
    with pytest.warns(UserWarning, match="longer than `max_length` 6"):
        assert list(encoder.encode(rows.to_iterable_dataset())) == expected
    assert all(set(row) == {"input_ids", "labels"} for row in expected)
    with pytest.raises(ValueError, match="needed are 'prompt' and 'completion'"):
        encoder.encode(Dataset.from_list([{"question": "1"}]).to_iterable_dataset())


def test_columns_of_a_recipe_and_of_the_command_line(tmp_path):
    (tmp_path / "rows.csv").write_text("q,a\n1+1,2\n1+2,3\n")
    (tmp_path / "recipe.yaml").write_text(
        f"dataset_name: {tmp_path}/rows.csv\ncolumns:\n" + "".join(f"  {k}: '{v}'\n" for k, v in MAPPING.items())
    )
    parser = TrlParser([DataArguments])
    (recipe,) = parser.parse_args_and_config(["--config", str(tmp_path / "recipe.yaml")])
    words = ["--dataset_name", f"{tmp_path}/rows.csv", "--columns", json.dumps(MAPPING)]
    (typed,) = parser.parse_args_and_config(words)
    assert recipe.columns == typed.columns == MAPPING
    rows, _ = load_data(recipe, evaluates=False)
    assert rows[1] == {"prompt": "1+2=", "completion": " 3", "target": 3.0}
    assert len(load_eval_data(replace(recipe, max_eval_samples=1))) == 1
    assert recipe == replace(recipe)


def test_limits_come_before_the_mapping(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"q": "1+1", "a": 2}\n{"q": "1+1", "a": "many"}\n')
    args = DataArguments(dataset_name=f"{tmp_path}/rows.jsonl", columns=MAPPING, max_train_samples=1)
    assert len(load_data(args, evaluates=False)[0]) == 1
    with pytest.raises(ValueError, match=r"rows.jsonl, split 'train', row 2: the target is 'many'"):
        load_data(replace(args, max_train_samples=None), evaluates=False)


def test_answer_marks():
    assert DataArguments(task="gsm8k").answer_mark == "####"
    assert DataArguments(task="gsm8k", answer_mark="").answer_mark is None
    assert DataArguments(task="gsm8k", answer_mark="So:").answer_mark == "So:"
    assert DataArguments(task="arithmetic").answer_mark is None
    assert DataArguments(dataset_name="x", answer_mark="=").answer_mark == "="


GIVEN = {
    "data_path": "folder",
    "keep_annotations": True,
    "clean_numbers": True,
    "modules": ["arithmetic__mul"],
    "max_rows_per_file": 3,
    "streaming": True,
    "numeric_only": True,
    "generator_seed": 3,
    "generator_scale": "small",
}
ALIEN = [(task, name) for task, entry in TASKS.items() for name in GIVEN if name not in entry.options]


def test_all_options_are_tried():
    assert {name for entry in TASKS.values() for name in entry.options} == set(GIVEN)


@pytest.mark.parametrize(("task", "name"), [*ALIEN, (None, "streaming"), (None, "modules")])
def test_options_of_other_tasks_are_refused(task, name):
    args = DataArguments(**{name: GIVEN[name]}, **({"task": task} if task else {"dataset_name": "x"}))
    with pytest.raises(ValueError, match=f"`{name}` is an option of `task: .*; remove it"):
        load_data(args, evaluates=False)


SPLITS = {
    "gsm8k": gsm8k.SPLITS,
    "mathematics": mathematics.SPLITS,
    "arithmetic": arithmetic.ROWS,
    "multiplication": calculations.PRODUCT_ROWS,
    "calculations": calculations.ROWS,
    "readings": readings.ROWS,
    "ratings": ratings.ROWS,
    "rjokes": rjokes.SPLITS,
    "multirc": multirc.SPLITS,
    "cnn_dailymail": cnn_dailymail.SPLITS,
}


@pytest.mark.parametrize("task", TASKS)
def test_unknown_splits_are_refused_with_those_there_are(task, tmp_path):
    options = {"data_path": str(tmp_path)} if "data_path" in TASKS[task].options else {}
    with pytest.raises(ValueError, match=f"splits {', '.join(SPLITS[task])}, not 'nowhere'"):
        load_data(DataArguments(task=task, dataset_train_split="nowhere", **options), evaluates=False)


REFUSED = {
    "columns of a task": ({"task": "gsm8k", "columns": MAPPING}, "`columns` is an option of `dataset_name`"),
    "configuration of a task": ({"task": "gsm8k", "dataset_config": "x"}, "`dataset_config` is an option of `datas"),
    "columns that are a text": ({"dataset_name": "ROWS", "columns": '"q"'}, "`columns` must be names and columns"),
    "no columns": ({"dataset_name": "ROWS", "columns": {}}, "`columns` must be names and columns"),
    "one file to train and evaluate": ({"dataset_name": "ROWS"}, "is one file, so there is nothing to evaluate on"),
    "a seed of files": (
        {"task": "arithmetic", "data_path": "x", "generator_seed": 1},
        "`generator_seed` and `generator_scale` are for generated rows",
    ),
    "an unknown scale": ({"task": "arithmetic", "generator_scale": "tiny"}, "one of full, small, not 'tiny'"),
    "jokes from nowhere": ({"task": "rjokes"}, "`task: rjokes` needs `data_path`, the folder of train.tsv"),
    "another task": ({"task": "gms8k"}, "`task` must be one of gsm8k, mathematics, .*, not 'gms8k'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case, tmp_path):
    given, message = REFUSED[case]
    (tmp_path / "rows.csv").write_text("q,a\n1,2\n")
    given = {k: str(tmp_path / "rows.csv") if v == "ROWS" else v for k, v in given.items()}
    with pytest.raises(ValueError, match=message):
        load_data(DataArguments(**given), evaluates="columns" not in given)


def test_columns_that_are_not_json():
    with pytest.raises(ValueError, match=r"`columns` is not valid JSON \(.* at column 2\)"):
        DataArguments(dataset_name="x", columns="{oops")


def test_every_task_has_the_same_columns():
    mapped = map_columns(Dataset.from_list([{"q": "1+1", "a": "2"}]), MAPPING, "rows")
    for task in ("arithmetic", "multiplication", "ratings"):
        rows, _ = load_data(DataArguments(task=task, max_train_samples=2), evaluates=False)
        assert all(rows.features[name] == kind for name, kind in mapped.features.items())
        assert all(completion.startswith(" ") for completion in rows["completion"])
