"""Text to token ids and labels: whose tokens the labels are, one end of text, what is cut and what is refused."""

import warnings

import pytest
import torch
from datasets import Dataset, IterableDataset
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.processors import TemplateProcessing
from transformers import DataCollatorForSeq2Seq

from ntl_hf.data import TextEncoder
from tests.downloads import REAL_TOKENIZERS, real_tokenizer
from tests.tiny import CHARACTERS, char_tokenizer, prompt_completion, sums

DECODERS = ("smollm2", "gpt2", "llama3", "sentencepiece-slow")
ENCODER_DECODERS = ("byt5", "t5")


def tokenizer_around(template):
    """A character tokenizer that puts special tokens around a text, as `template` says."""
    tokenizer = char_tokenizer()
    special = [(token, tokenizer.convert_tokens_to_ids(token)) for token in ("<s>", "</s>")]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=template, special_tokens=special)
    return tokenizer


def encode(tokenizer, rows, is_encoder_decoder=False, max_length=None):
    return list(TextEncoder(tokenizer, is_encoder_decoder, max_length).encode(Dataset.from_list(rows)))


def labelled(row):
    return [label for label in row["labels"] if label != -100]


@pytest.mark.parametrize("name", REAL_TOKENIZERS)
def test_labels_are_the_completion_and_one_end_of_text(name):
    tokenizer = real_tokenizer(name)
    rows = [
        # Words that the small SentencePiece models know.
        {"prompt": "the price of 48 apples\n", "completion": " the train costs 24\nthe number 7"},
        {"prompt": "12 and 345", "completion": "357"},
    ]
    for given_, row in zip(rows, encode(tokenizer, rows, name in ENCODER_DECODERS), strict=True):
        labels = labelled(row)
        assert labels.count(tokenizer.eos_token_id) == 1 and labels[-1] == tokenizer.eos_token_id
        # SentencePiece's normalisation knows one kind of space.
        assert tokenizer.decode(labels[:-1]).split() == given_["completion"].split()
        if name in DECODERS:
            assert row["input_ids"][-len(labels) :] == labels
            assert row["labels"][: -len(labels)] == [-100] * (len(row["input_ids"]) - len(labels))
        source = row["input_ids"][: -len(labels)] if name in DECODERS else row["input_ids"]
        assert tokenizer.decode(source, skip_special_tokens=True).split() == given_["prompt"].split()


@given(
    pairs=st.lists(
        st.tuples(st.text(CHARACTERS, max_size=12), st.text(CHARACTERS, max_size=12)), min_size=1, max_size=4
    ),
    kind=st.sampled_from([False, True]),
    template=st.sampled_from(["$A", "<s> $A", "$A </s>", "<s> $A </s>"]),
)
def test_label_tokens_are_those_of_the_completion(pairs, kind, template):
    tokenizer = tokenizer_around(template)
    eos, bos = tokenizer.eos_token_id, tokenizer.bos_token_id
    for (prompt, completion), row in zip(
        pairs,
        encode(tokenizer, [{"prompt": p, "completion": c} for p, c in pairs], is_encoder_decoder=kind),
        strict=True,
    ):
        plain, target = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, completion))
        start = [bos] if "<s>" in template else []
        if kind:
            assert row["labels"] == [*start, *target, eos]
            assert row["input_ids"] == [*start, *plain, *([eos] if "</s>" in template else [])]
        else:
            assert row["input_ids"] == [*start, *plain, *target, eos]
            assert row["labels"] == [-100] * len(start + plain) + [*target, eos]


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_an_encoder_decoder_reads_the_prompt_as_its_tokenizer_writes_it(name):
    tokenizer = real_tokenizer(name)
    (row,) = encode(tokenizer, sums(1), is_encoder_decoder=True)
    assert row["input_ids"] == tokenizer(sums(1)[0]["prompt"])["input_ids"]
    assert row["labels"] == tokenizer(text_target=sums(1)[0]["completion"])["input_ids"]


def test_an_end_of_text_that_is_written_out_is_not_doubled():
    (row,) = encode(char_tokenizer(), [{"prompt": "1+1=", "completion": "2</s>"}])
    assert labelled(row) == char_tokenizer()("2</s>")["input_ids"]


def test_plain_text_is_trained_on_whole():
    tokenizer = tokenizer_around("<s> $A")
    (row,) = encode(tokenizer, [{"text": "1+1=2", "id": "a"}])
    ids = tokenizer("1+1=2", add_special_tokens=False)["input_ids"]
    assert row == {"input_ids": [3, *ids, 1], "labels": [-100, *ids, 1]}


def test_a_batch_is_padded_with_the_end_of_text_where_there_is_no_padding_token():
    tokenizer = char_tokenizer(pad_token=None)
    size = len(tokenizer)
    rows = encode(tokenizer, [{"prompt": "1+1=", "completion": "2"}, {"prompt": "12+34=", "completion": "46"}])
    batch = DataCollatorForSeq2Seq(tokenizer)(rows)
    assert len(tokenizer) == size and tokenizer.pad_token == "</s>"
    assert batch["attention_mask"].sum(1).tolist() == [6, 9]
    # The padding is no label, the end of text is one.
    assert (batch["labels"] == tokenizer.eos_token_id).sum(1).tolist() == [1, 1]
    assert torch.equal(batch["labels"] == -100, (batch["attention_mask"] == 0) | prompt_mask(batch, [4, 6]))


def prompt_mask(batch, lengths):
    positions = torch.arange(batch["input_ids"].shape[1])
    return positions < torch.tensor(lengths)[:, None]


def test_long_rows_are_cut_and_counted():
    rows = [{"prompt": "1+1=", "completion": "2"}, {"prompt": "1+1=", "completion": "22222"}]
    with pytest.warns(UserWarning, match="1 of 2 rows are longer than `max_length` 6 and are cut; 0 of them"):
        short, cut = encode(char_tokenizer(), rows, max_length=6)
    assert labelled(short)[-1] == 1
    assert len(cut["input_ids"]) == 6 and 1 not in cut["labels"]


def test_rows_without_a_completion_left_are_dropped():
    rows = [{"prompt": "1" * n, "completion": "2"} for n in (3, 6, 7)]
    with pytest.warns(UserWarning, match="2 of 3 rows .* 2 of them are left out"):
        (row,) = encode(char_tokenizer(), rows, max_length=6)
    assert len(row["input_ids"]) == 5
    with pytest.raises(ValueError, match=r"Every prompt is 2 tokens \(`max_length`\) or longer"):
        encode(char_tokenizer(), rows, max_length=2)


def test_an_encoder_decoder_cuts_prompt_and_completion_apart():
    tokenizer = tokenizer_around("$A </s>")
    rows = [
        {"prompt": "1234567", "completion": "1"},
        {"prompt": "1", "completion": "1234567"},
        {"prompt": "123", "completion": "123"},
    ]
    with pytest.warns(UserWarning, match="2 of 3 rows are longer than `max_length` 4 .* 0 of them"):
        long_prompt, long_completion, fits = encode(tokenizer, rows, is_encoder_decoder=True, max_length=4)
    assert long_prompt["input_ids"] == tokenizer("123")["input_ids"] == fits["input_ids"] == fits["labels"]
    assert long_completion["labels"] == tokenizer("1234")["input_ids"][:-1]


def test_nothing_is_said_where_nothing_is_cut():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TextEncoder(char_tokenizer(), False, 64).encode(prompt_completion(4))


REFUSED = {
    "other columns": ([{"question": "1", "answer": "2"}], False, r"columns \['question', 'answer'\]; needed are "),
    "half a pair": ([{"prompt": "1"}], False, "'prompt' and 'completion', or 'text'"),
    "text for an encoder-decoder": ([{"text": "1"}], True, r"\['text'\]; needed are 'prompt' and 'completion'\."),
    "messages": (
        [{"prompt": [{"role": "user", "content": "1"}], "completion": "2"}],
        False,
        "column 'prompt' .* strings are needed",
    ),
    "floats": ([{"prompt": "1+1=", "completion": 2.0}], False, "column 'completion' .* float64; strings are needed"),
    "null": ([{"prompt": "1", "completion": "2"}, {"prompt": None, "completion": "2"}], False, "no 'prompt' .null"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_data(case):
    rows, is_encoder_decoder, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        encode(char_tokenizer(), rows, is_encoder_decoder)


def stream_of(rows):
    return IterableDataset.from_generator(lambda: iter(rows))


@pytest.mark.parametrize("is_encoder_decoder", [False, True])
def test_whole_numbers_are_texts(is_encoder_decoder):
    encoder = TextEncoder(char_tokenizer(), is_encoder_decoder)
    numbers, texts = [{"prompt": 7, "completion": 12}], [{"prompt": "7", "completion": "12"}]
    expected = list(encoder.encode(Dataset.from_list(texts)))
    typed = Dataset.from_list(numbers)
    for dataset in (typed, typed.to_iterable_dataset(), stream_of(numbers), stream_of(texts)):
        assert list(encoder.encode(dataset)) == expected


def test_a_stream_that_does_not_know_its_columns_is_checked_by_its_rows():
    encoder = TextEncoder(char_tokenizer(), False)
    with pytest.raises(ValueError, match=r"columns \['question'\]; needed are "):
        encoder.encode(stream_of([{"question": "1"}]))
    with pytest.raises(ValueError, match="row 1: 'completion' is of type float; strings are needed"):
        encoder.encode(stream_of([{"prompt": "1", "completion": 2.5}]))
    rows = [{"prompt": "1", "completion": "2"}, {"prompt": "1", "completion": None}]
    with pytest.raises(ValueError, match="row 2: 'completion' is missing"):
        list(encoder.encode(stream_of(rows)))
    with pytest.raises(ValueError, match=r"no text .null"):
        list(encoder.encode(Dataset.from_list(rows).to_iterable_dataset()))


def test_refused_tokenizers_and_lengths():
    with pytest.raises(ValueError, match="no `eos_token`"):
        TextEncoder(char_tokenizer(eos_token=None), False)
    with pytest.raises(ValueError, match="`max_length` is 2; it must be above 2"):
        TextEncoder(tokenizer_around("<s> $A </s>"), True, 2)
    with pytest.raises(ValueError, match="`max_length` is -1"):
        TextEncoder(char_tokenizer(), False, -1)


@pytest.mark.parametrize("kind", ["numpy", "pandas"])
def test_rows_in_a_format_are_encoded_as_those_without(kind):
    encoder, plain = TextEncoder(char_tokenizer(), is_encoder_decoder=False), prompt_completion(4)
    for each in (plain, plain.to_iterable_dataset()):
        assert list(encoder.encode(each.with_format(kind))) == list(encoder.encode(plain))


def test_no_rows_and_no_data_set():
    encoder, plain = TextEncoder(char_tokenizer(), is_encoder_decoder=False), prompt_completion(4)
    with pytest.raises(ValueError, match="The data set has no rows"):
        encoder.encode(plain.select([]))
    with pytest.raises(TypeError, match=r"is needed, this is a list\. `Dataset\.from_list\(rows\)`"):
        encoder.encode(list(plain))
