"""`NumberReward`: its values, what it promises about them, what it refuses, and a run of TRL's `GRPOTrainer`."""

import math
import pickle
import re
from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given
from hypothesis import strategies as st

from ntl_hf import NumberReward
from tests.tiny import char_tokenizer, tiny_model

LARGEST = 1.7e308
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1000, 1000).map(float)
MODEST = st.integers(-(10**6), 10**6)
SCALES = st.sampled_from(["relative", "log"]) | st.floats(1e-3, 1e6)


def reward(answer: Any, target: Any, **settings: Any) -> float | None:
    [value] = NumberReward(**settings)(prompts=["?"], completions=[answer], target=[target])
    return value


@pytest.mark.parametrize(
    ("answer", "target", "settings", "expected"),
    [
        ("18", 18, {}, 0.0),
        ("about 17 apples", 18, {}, -1 / 18),
        ("-18", 18, {}, -1.0),
        ("0.5", 0, {}, -0.5),
        ("0.5", 0, {"floor": 10}, -0.05),
        ("1,250", 1000, {"scale": 500}, -0.5),
        ("0", 1000, {"scale": 500}, -1.0),
        ("0", 1000, {"scale": 500, "bound": 3}, -2.0),
        ("99", 999, {"scale": "log", "bound": 2}, -1.0),
        ("-9", 9, {"scale": "log", "bound": 2}, -2.0),
        ("no idea", 3, {}, -1.0),
        ("", 3, {"bound": 2}, -2.0),
        ("3 or 4", 3, {"unreadable": -1.5}, -1.5),
        ("1e999", 3, {}, -1.0),
        ("nan", 3, {"unreadable": -4}, -4.0),
        (f"-{LARGEST}", LARGEST, {"bound": 9}, -9.0),
        ("so 3 + 4 = 7\n#### 7\n#### 8", 7, {"answer_mark": "####"}, 0.0),
        ("7", 7, {"answer_mark": "####"}, -1.0),
        ("<think>9</think><answer>\n7\n</answer>", 7, {"answer_mark": "<answer>"}, 0.0),
        (r"Thus $\boxed{7}$.", 7, {"answer_mark": r"\boxed{"}, 0.0),
        ("18", "18", {}, 0.0),
        ("18", "$18", {}, 0.0),
        ("#### 18", "2 * 9 = 18\n#### 18", {"answer_mark": "####"}, 0.0),
        ("#### 18", "18", {"answer_mark": "####"}, 0.0),
        ("18", None, {}, None),
    ],
)
def test_by_hand(answer: str, target: Any, settings: dict[str, Any], expected: float | None) -> None:
    assert reward(answer, target, **settings) == (None if expected is None else pytest.approx(expected, rel=1e-12))


@given(answer=NUMBERS | st.none(), target=NUMBERS, scale=SCALES, bound=st.floats(1e-6, 1e6))
def test_bounded_and_never_undefined(answer: float | None, target: float, scale: Any, bound: float) -> None:
    value = reward("none" if answer is None else repr(answer), target, scale=scale, bound=bound)
    assert value is not None and -bound <= value <= 0
    # Not -0.0, which logs would show.
    assert math.copysign(1, value) == (1 if value == 0 else -1)


@given(target=NUMBERS, other=NUMBERS, scale=SCALES)
def test_the_right_answer_is_the_best_one(target: float, other: float, scale: Any) -> None:
    right, wrong = reward(repr(target), target, scale=scale), reward(repr(other), target, scale=scale)
    assert right == 0 and wrong is not None and wrong <= right


@given(target=MODEST, near=MODEST, far=st.integers(0, 10**6), scale=SCALES, bound=st.floats(0.1, 1e7))
def test_further_on_the_same_side_is_never_better(target: int, near: int, far: int, scale: Any, bound: float) -> None:
    beyond = near + far if near >= target else near - far
    rewards = NumberReward(scale, bound=bound)(["?"] * 2, [str(near), str(beyond)], target=[target] * 2)
    assert rewards[0] >= rewards[1]  # type: ignore[operator]


@given(target=MODEST, error=st.integers(1, 10**6), shift=MODEST)
def test_a_constant_scale_knows_the_distance_alone(target: int, error: int, shift: int) -> None:
    """Moving both numbers, and the side of the error, change nothing."""
    settings: dict[str, Any] = {"scale": 1000.0, "bound": 1e4}
    value = reward(str(target + error), target, **settings)
    assert value == reward(str(target + shift + error), target + shift, **settings)
    assert value == reward(str(target - error), target, **settings) == pytest.approx(-error / 1000)


@given(target=MODEST.filter(bool), answer=MODEST, unit=st.sampled_from([2, 8, 1024]))
def test_a_relative_scale_knows_no_units(target: int, answer: int, unit: int) -> None:
    assert reward(str(answer), target, bound=1e9) == reward(str(answer * unit), target * unit, bound=1e9)


@given(rows=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=5), scale=SCALES)
def test_a_batch_is_its_rows(rows: list[tuple[float, float]], scale: Any) -> None:
    texts, targets = [repr(answer) for answer, _ in rows], [target for _, target in rows]
    values = NumberReward(scale)(["?"] * len(rows), texts, target=targets)
    assert values == [reward(text, target, scale=scale) for text, target in zip(texts, targets, strict=True)]


def test_conversations() -> None:
    """The assistant's last message counts; images, tool calls and what tools say do not."""
    question = {"role": "user", "content": "4 + 3?"}
    conversations = [
        [{"role": "assistant", "content": "7"}],
        [{"role": "assistant", "content": [{"type": "text", "text": "is "}, {"type": "text", "text": "7"}]}],
        [
            {"role": "assistant", "content": "2"},
            {"role": "tool", "content": "3"},
            {"role": "assistant", "content": "7"},
        ],
        [{"role": "assistant", "content": None, "tool_calls": []}],
        [{"role": "tool", "content": "7"}],
    ]
    rewards = NumberReward()([[question]] * 5, conversations, target=[7] * 5)
    assert rewards == [0, 0, 0, -1, -1]


def test_what_is_logged() -> None:
    metrics: dict[str, float] = {}
    extra: dict[str, list[Any]] = {}
    NumberReward(name="near")(
        prompts=["?"] * 5,
        completions=["7", "8", "?", "", "7"],
        completion_ids=[[1]] * 5,
        target=[7, 7, 7, 7, None],
        log_metric=metrics.__setitem__,
        log_extra=extra.__setitem__,
    )
    assert metrics == {"near/unreadable": 0.5, "near/exact": 0.25}
    assert extra == {"near_read": [7, 8, None, None, 7]}


def test_rows_without_a_number_are_left_to_other_rewards() -> None:
    logged: list[str] = []
    rewards = NumberReward()(["?"] * 2, ["7", "?"], target=[None] * 2, log_metric=lambda name, _: logged.append(name))
    assert rewards == [None, None] and logged == []


def test_the_name_is_trls_and_survives_a_copy_to_another_process() -> None:
    utils = pytest.importorskip("trl.trainer.utils")
    copied = pickle.loads(pickle.dumps(NumberReward(10, name="near")))
    assert utils.get_callable_name(copied) == "near"
    assert copied(["?"], ["5"], target=[0]) == [-0.5]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scale": 0}, "`scale` is 0"),
        ({"scale": math.nan}, "`scale` is nan"),
        ({"scale": "log10"}, "'relative' or 'log'"),
        ({"floor": -1}, "`floor` is -1"),
        ({"bound": math.inf}, "`bound` is inf"),
        ({"unreadable": -0.5}, "at most -1"),
        ({"unreadable": -math.inf}, "must be finite"),
        ({"unreadable": math.nan}, "must be finite"),
        ({"answer_mark": ""}, "`answer_mark` is empty"),
        ({"column": "completion"}, "copy it to a column of another name"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        NumberReward(**settings)
    assert message in str(error.value)


BAD_TARGETS = ["no idea", "3 or 4", "", math.nan, -math.inf, 10**400, True, [7]]


@pytest.mark.parametrize("bad", BAD_TARGETS, ids=repr)
def test_a_true_number_that_is_none_is_named_with_its_row(bad: Any) -> None:
    rows = {"prompt": ["1?", "2?", "3?"], "target": [1, None, bad]}
    with pytest.raises(ValueError, match=r"'target' of row 2 is .* not one finite number"):
        NumberReward().check(rows)
    with pytest.raises(ValueError, match=r"'target' of the prompt '3\?' is"):
        NumberReward()(prompts=rows["prompt"], completions=["1"] * 3, target=rows["target"])


def test_data_sets_are_checked() -> None:
    dataset = Dataset.from_dict({"prompt": ["?", "?"], "answer": ["so #### 1,250", None]})
    NumberReward(column="answer", answer_mark="####").check(dataset)
    with pytest.raises(ValueError, match=r"no column 'target' .* there are: prompt, answer|there are: answer\."):
        NumberReward().check(dataset)
    with pytest.raises(ValueError, match="no number in any row"):
        NumberReward(column="answer").check(dataset.select([1]))
    NumberReward().check(Dataset.from_dict({"target": [1, 2.5]}).with_format("torch"))


def test_a_missing_column_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"there are: answer\. Set `column`"):
        NumberReward()(["?"], ["7"], completion_ids=[[1]], answer=["7"], trainer_state=None, log_metric=None)


def test_grpo_steps_on_these_rewards(tmp_path: Any) -> None:
    """What TRL logs is the reward of what was generated, by hand, and the weights move."""
    trl = pytest.importorskip("trl", reason="TRL is not installed")
    generated: list[tuple[list[str], list[float]]] = []

    def watch(prompts: list[str], completions: list[str], target: list[float], **_: Any) -> list[None]:
        generated.append((completions, target))
        return [None] * len(prompts)

    tokenizer = char_tokenizer("0123456789+=")
    model = tiny_model("llama", vocab_size=len(tokenizer))
    before = model.lm_head.weight.detach().clone()
    trainer = trl.GRPOTrainer(
        model=model,
        reward_funcs=[NumberReward(scale=50), watch],
        args=trl.GRPOConfig(
            output_dir=str(tmp_path),
            max_steps=3,
            per_device_train_batch_size=8,
            num_generations=4,
            max_completion_length=2,
            learning_rate=0.01,
            logging_steps=1,
            bf16=False,
            use_cpu=True,
            report_to="none",
            disable_tqdm=True,
            save_strategy="no",
        ),
        train_dataset=Dataset.from_dict({"prompt": [f"{i}+5=" for i in range(10)], "target": list(range(5, 15))}),
        processing_class=tokenizer,
    )
    trainer.train()
    logs = [entry for entry in trainer.state.log_history if "reward" in entry]
    assert len(logs) == len(generated) == 3
    for entry, (completions, targets) in zip(logs, generated, strict=True):
        # Two characters out of 0-9, + and =: one number or none (`5+`), and an error of 50 costs 1.
        numbers = [re.fullmatch("[+=]?([0-9]+)=?", text) for text in completions]
        expected = [
            -min(abs(int(number[1]) - target) / 50, 1) if number else -1.0
            for number, target in zip(numbers, targets, strict=True)
        ]
        assert entry["rewards/number_reward/mean"] == pytest.approx(sum(expected) / 8, abs=1e-6)
        assert entry["reward"] == pytest.approx(entry["rewards/number_reward/mean"])
        assert entry["number_reward/unreadable"] == pytest.approx(numbers.count(None) / 8)
    assert not before.equal(model.lm_head.weight)
