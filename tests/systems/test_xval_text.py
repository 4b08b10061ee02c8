"""xVal's text side: every number is one token, its value is read right, and text and rows come back."""

import json
import math
import random
from decimal import Decimal

import numpy as np
import pytest
import torch
from datasets import Dataset, IterableDataset
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import decoders, normalizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from ntl_hf import add_digit_tokens
from ntl_hf.systems.number_rows import NumberCollator
from ntl_hf.systems.xval.text import (
    XValEncoder,
    num_token_id,
    number_values,
    write_number,
    write_numbers,
    xval_tokenizer,
)
from tests.downloads import real_tokenizer
from tests.tiny import char_tokenizer, tiny_model

NAMES = ("gpt2", "smollm2", "t5")
BYTE_LEVEL = ("gpt2", "smollm2", "llama3")
# Those that the small T5 model knows.
WORDS = ("the", "train", "leaves", "at", "and", "costs", "apples", "of", "number", "price")
_made: dict[str, PreTrainedTokenizerFast] = {}


def xval(name):
    if name not in _made:
        _made[name] = xval_tokenizer(real_tokenizer(name))
    return _made[name]


def read(tokenizer, text):
    (found,) = number_values(tokenizer, [text])
    return found


def plain(value):
    """The shortest decimal of a float32 by another way than the code's."""
    text = format(Decimal(str(np.float32(value))), "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text).replace("-0", "0" if value == 0 else "-0")


def random_number(rng):
    digits = str(rng.randrange(10 ** rng.choice((1, 2, 3, 5, 9, 20))))
    digits = "0" * rng.choice((0, 0, 0, 1, 3)) + digits
    if rng.random() < 0.5:
        digits += f".{rng.randrange(10**3):0{rng.choice((3, 5, 12))}d}"
    elif rng.random() < 0.1:
        digits = f".{rng.randrange(100)}"
    if rng.random() < 0.1:
        digits += f"{rng.choice('eE')}{rng.choice(('', '+', '-'))}{rng.randrange(15)}"
    return rng.choice(("", "", "-")) + digits


@pytest.mark.parametrize("name", NAMES)
def test_ten_thousand_numbers_and_their_texts_come_back(name):
    rng, tokenizer = random.Random(0), xval(name)
    texts, values, wanted = [], [], []
    for _ in range(2500):
        words = rng.choices(WORDS, k=5)
        numbers = [random_number(rng) for _ in range(4)]
        # `the 5 apples`, `5 the`, `the 5` and `5 5`.
        order = rng.sample([(word, word) for word in words] + [(n, plain(float(n))) for n in numbers], 9)
        texts.append(" ".join(given_ for given_, _ in order))
        wanted.append(" ".join(written for _, written in order))
        values.append([float(given_) for given_, _ in order if given_ in numbers])
    found = number_values(tokenizer, texts)
    assert [each for _, each in found] == values
    assert [write_numbers(tokenizer, ids, each) for ids, each in found] == wanted
    assert all(ids.count(num_token_id(tokenizer)) == 4 for ids, _ in found)


@pytest.mark.parametrize("name", BYTE_LEVEL)
@pytest.mark.parametrize(
    ("text", "values", "written"),
    [
        ("12.3", [12.3], None),
        ("007 and 1.50, -0.0.", [7, 1.5, 0], "7 and 1.5, 0."),
        ("3-5", [3, 5], None),
        ("x=-3 (-4) -5", [-3, -4, -5], None),
        ("x-3 (a)-4 5%-6% $-7", [3, 4, 5, 6, 7], None),
        ("--3 +-4 +5", [3, 4, 5], None),
        ("\u22127", [-7], "-7"),
        ("1,000", [1, 0], "1,0"),
        ("1e5 2E-3 1.5e+2", [1e5, 2e-3, 150], "100000 0.002 150"),
        ("1e5x 2e 3e+", [1, 5, 2, 3], None),
        (".5 -.5 a.5 ..5", [0.5, -0.5, 5, 5], "0.5 -0.5 a.5 ..5"),
        ("1.0.3 10.20.30.40", [1, 0, 3, 10, 20, 30, 40], None),
        ("1.5e3.7", [1.5, 3.7], None),
        ("x2 2nd B12b", [2, 2, 12], None),
        ("123456789", [123456789], "123456790"),
        ("1e38 1e-40", [1e38, 1e-40], "1" + "0" * 38 + " 0." + "0" * 39 + "1"),
        ("no number", [], None),
        ("", [], None),
        ("a  5\n\n6\t7", [5, 6, 7], None),
        ("é5ü ٣ ½ １", [5], None),
    ],
)
def test_worked_texts(name, text, values, written):
    tokenizer = xval(name)
    ids, found = read(tokenizer, text)
    assert found == values
    assert write_numbers(tokenizer, ids, found) == (text if written is None else written)


@given(text=st.text("0123456789.-+eE ,x()%$", max_size=30) | st.text(max_size=20))
@example("1.0.3")
@example("1.5e3.7")
@example("1.2e5x.7")
def test_what_is_written_reads_the_same_again(text):
    tokenizer = xval("gpt2")
    try:
        ids, values = read(tokenizer, text)
    except ValueError as error:
        assert "beyond float32" in str(error) or "[NUM]" in text
        return
    written = write_numbers(tokenizer, ids, values)
    again, same_values = read(tokenizer, written)
    assert again == ids
    assert np.float32(same_values).tolist() == np.float32(values).tolist()
    assert write_numbers(tokenizer, again, same_values) == written
    pieces = tokenizer.decode(ids).split("[NUM]")
    assert len(pieces) == len(values) + 1
    assert not any(digit in piece for piece in pieces for digit in "0123456789")


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_numbers_are_written_shortest_and_without_exponent(value):
    written = write_number(value)
    assert np.float32(written) == np.float32(value) and "e" not in written and written == plain(value)


@pytest.mark.parametrize("name", [*NAMES, "llama3"])
def test_other_text_has_the_ids_of_the_base(name):
    base, tokenizer = real_tokenizer(name), xval(name)
    before = base.backend_tokenizer.to_str()
    rng = random.Random(1)
    texts = [" ".join(rng.choices([*WORDS, " ", "(x)", "été", "don't", "\n"], k=8)) for _ in range(300)]
    assert tokenizer(texts)["input_ids"] == base(texts)["input_ids"], "with special tokens around"
    assert xval_tokenizer(base) is not base and base.backend_tokenizer.to_str() == before
    assert len(tokenizer) == len(base) + 1 == num_token_id(tokenizer) + 1
    assert {token: i for token, i in tokenizer.get_vocab().items() if token != "[NUM]"} == base.get_vocab()
    for setting in ("special_tokens_map", "model_max_length", "padding_side", "chat_template", "model_input_names"):
        assert getattr(tokenizer, setting) == getattr(base, setting)


@pytest.mark.parametrize(("name", "model_type"), [("gpt2", "gpt2"), ("t5", "t5"), ("smollm2", "llama")])
def test_a_saved_one_is_read_without_our_code(name, model_type, tmp_path):
    tokenizer, text = xval(name), "the 12 apples and -0.5 of 7the"
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert type(loaded) is PreTrainedTokenizerFast
    assert read(loaded, text) == read(tokenizer, text)
    assert write_numbers(loaded, *read(loaded, text)) == text
    assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]


def test_special_tokens_in_the_text_keep_numbers_apart():
    tokenizer = xval("t5")
    assert read(tokenizer, "the 1.5</s>5 <extra_id_0>5 -2")[1] == [1.5, 5, 5, -2]


def test_unknown_characters_do_not_move_numbers():
    # The small T5 model has no piece for them.
    assert read(xval("t5"), "the € 5; 6…7 Ω-8")[1] == [5, 6, 7, 8]


@pytest.mark.parametrize("name", ["gpt2", "t5"])
def test_what_cannot_be_read_is_refused(name):
    tokenizer = xval(name)
    for number in ("4e38", "1" + "0" * 39, "-1e999"):
        with pytest.raises(ValueError, match=r"A number in 'costs .*' is beyond float32"):
            number_values(tokenizer, ["the 5", f"costs {number}"])
    with pytest.raises(ValueError, match=r"contains \[NUM\], whose value is unknown"):
        read(tokenizer, "the 5 and [NUM] apples")
    with pytest.raises(ValueError, match=r"no token \[NUM\]; make one with `xval_tokenizer"):
        number_values(real_tokenizer(name), ["5"])


def test_tokenizers_that_do_not_do_are_refused():
    with pytest.raises(ValueError, match=r"has a token \[NUM\] already"):
        xval_tokenizer(xval("gpt2"))
    with pytest.raises(ValueError, match="not a fast one"):
        xval_tokenizer(real_tokenizer("byt5"))
    tokenizer = char_tokenizer("abcdefghijklmnopqrstuvwxyz ")
    add_digit_tokens(tokenizer, tiny_model())
    with pytest.raises(ValueError, match=r"added tokens with digits \(0, 1, 2, 3, 4\)"):
        xval_tokenizer(tokenizer)


def test_a_tokenizer_whose_numbers_would_not_come_back_is_refused():
    tokenizer = char_tokenizer()
    tokenizer.backend_tokenizer.normalizer = normalizers.Prepend("#")
    with pytest.raises(ValueError, match=r"cannot be xVal's tokenizer: its normalizer makes '#\[NUM\]'"):
        xval_tokenizer(tokenizer)
    tokenizer = char_tokenizer()
    tokenizer.backend_tokenizer.decoder = decoders.WordPiece()
    with pytest.raises(ValueError, match=r"cannot be xVal's tokenizer: '12' comes back as"):
        xval_tokenizer(tokenizer)


def test_what_a_model_may_write():
    tokenizer = xval("gpt2")
    num, spelled = num_token_id(tokenizer), real_tokenizer("gpt2").encode("a[NUM]b")
    assert write_numbers(tokenizer, [num, num, num], [5, -3.0, 1e7]) == "5 -3 10000000"
    assert write_numbers(tokenizer, [*spelled, num, *spelled, num], [1, 2]) == "a[NUM]b1a[NUM]b2"
    assert write_numbers(tokenizer, [num, tokenizer.eos_token_id], torch.tensor([12.3]).tolist()) == "12.3"
    with pytest.raises(ValueError, match=r"1 tokens \[NUM\] and 2 values"):
        write_numbers(tokenizer, [num], [1, 2])
    for value in (math.nan, math.inf, 1e39):
        with pytest.raises(ValueError, match="not a finite float32"):
            write_numbers(tokenizer, [num], [value])


# ---- Rows ----

ROWS = [
    {"prompt": "add 12 and -0.5 =", "completion": " 11.5 of 3"},
    {"prompt": "7", "completion": "words"},
    {"prompt": "no", "completion": "8"},
]


def check_row(tokenizer, ids, numbers, other, values):
    num = num_token_id(tokenizer)
    assert len(ids) == len(numbers)
    assert [number for token, number in zip(ids, numbers, strict=True) if token == num] == values
    assert all(number == other for token, number in zip(ids, numbers, strict=True) if token != num)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", ["gpt2", "t5"])
def test_rows_have_numbers_beside_tokens(name, stream):
    tokenizer, data = xval(name), Dataset.from_list(ROWS)
    encoder = XValEncoder(tokenizer, is_encoder_decoder=name == "t5")
    rows = list(encoder.encode(data.to_iterable_dataset() if stream else data))
    prompts, answers = [[12, -0.5], [7], []], [[11.5, 3], [], [8]]
    for row, prompt, answer in zip(rows, prompts, answers, strict=True):
        assert set(row) == {"input_ids", "labels", "number_values", "number_labels"}
        read_too = prompt if name == "t5" else prompt + answer
        check_row(tokenizer, row["input_ids"], row["number_values"], 1.0, read_too)
        check_row(tokenizer, row["labels"], row["number_labels"], 0.0, answer)
        assert row["labels"][-1] == tokenizer.eos_token_id


@pytest.mark.parametrize("name", ["gpt2", "t5"])
def test_values_survive_cutting(name):
    tokenizer, is_encoder_decoder = xval(name), name == "t5"
    whole = next(iter(XValEncoder(tokenizer, is_encoder_decoder).encode(Dataset.from_list(ROWS[:1]))))
    special = int(is_encoder_decoder)
    for length in range(special + 1, len(whole["input_ids"]) + 2):
        encoder = XValEncoder(tokenizer, is_encoder_decoder, max_length=length)
        try:
            rows = list(encoder.encode(Dataset.from_list(ROWS[:1])))
        except ValueError as error:
            assert "no completion is left" in str(error) and not is_encoder_decoder
            continue
        text = len(rows[0]["input_ids"]) - special
        assert rows[0]["number_values"][:text] == whole["number_values"][:text]
        labels = len(rows[0]["labels"])
        assert rows[0]["number_labels"] == whole["number_labels"][:labels]
        kept = [12, -0.5, 11.5, 3][: rows[0]["input_ids"].count(num_token_id(tokenizer))]
        check_row(tokenizer, rows[0]["input_ids"], rows[0]["number_values"], 1.0, kept)


def test_plain_text_is_a_completion_of_nothing():
    tokenizer = xval("gpt2")
    (row,) = XValEncoder(tokenizer, False).encode(Dataset.from_list([{"text": "the 5 of 6"}]))
    check_row(tokenizer, row["input_ids"], row["number_values"], 1.0, [5, 6])
    check_row(tokenizer, row["labels"], row["number_labels"], 0.0, [5, 6])


@pytest.mark.parametrize("name", ["gpt2", "t5"])
def test_prompts_to_be_answered(name):
    tokenizer = xval(name)
    encoder = XValEncoder(tokenizer, is_encoder_decoder=name == "t5")
    prompts = [row["prompt"] for row in ROWS]
    found = encoder.encode_prompts_with_values(prompts)
    assert [row["input_ids"] for row in found] == encoder.encode_prompts(prompts)
    for row, values in zip(found, ([12, -0.5], [7], []), strict=True):
        check_row(tokenizer, row["input_ids"], row["number_values"], 1.0, values)


def test_a_stream_says_what_is_wrong_when_it_is_read():
    def rows():
        yield {"prompt": "the", "completion": "1e99"}

    from datasets import Features, Value

    features = Features({"prompt": Value("string"), "completion": Value("string")})
    encoded = XValEncoder(xval("gpt2"), False).encode(IterableDataset.from_generator(rows, features=features))
    with pytest.raises(ValueError, match="A number in '1e99' is beyond float32"):
        next(iter(encoded))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("is_encoder_decoder", [False, True])
def test_batches_are_padded_on_the_right_with_ones_and_zeros(side, is_encoder_decoder):
    tokenizer = xval_tokenizer(char_tokenizer(padding_side=side))
    rows = list(XValEncoder(tokenizer, is_encoder_decoder).encode(Dataset.from_list(ROWS)))
    batch = NumberCollator(tokenizer)(rows)
    assert batch["number_values"].dtype == batch["number_labels"].dtype == torch.float32
    assert batch["number_values"].shape == batch["input_ids"].shape == batch["attention_mask"].shape
    assert batch["number_labels"].shape == batch["labels"].shape
    for i, row in enumerate(rows):
        read_, labels = len(row["input_ids"]), len(row["labels"])
        assert batch["input_ids"][i, :read_].tolist() == row["input_ids"]
        assert batch["labels"][i].tolist() == row["labels"] + [-100] * (batch["labels"].shape[1] - labels)
        assert batch["attention_mask"][i].sum() == read_
        values, targets = batch["number_values"][i].tolist(), batch["number_labels"][i].tolist()
        assert values == row["number_values"] + [1.0] * (len(values) - read_)
        assert targets == row["number_labels"] + [0.0] * (len(targets) - labels)
