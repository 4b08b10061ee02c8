"""`add_digit_tokens`: the digits that are missing, their rows, ties, padding, and what must stay as it was."""

import copy
from typing import Any

import peft
import pytest
import torch
from packaging import version
from peft import LoraConfig, get_peft_model
from tokenizers import Regex, normalizers
from transformers import PhiConfig, PhiForCausalLM, T5Tokenizer
from transformers.integrations.peft import MIN_PEFT_VERSION

from ntl_hf import NumberVocab, add_digit_tokens
from tests.downloads import sentencepiece_model
from tests.tiny import char_tokenizer, tiny_model

LETTERS = "abc +="
TIED = {"llama": False, "llama-tied": True, "gpt2": True, "t5": True, "bart": True}


def setup(name: str = "llama", characters: Any = LETTERS, padding: int = 0) -> tuple[Any, Any]:
    """A tokenizer of some characters and a model with as many rows, or `padding` more."""
    tokenizer = char_tokenizer(characters)
    return tokenizer, tiny_model(name, vocab_size=len(tokenizer) + padding)


def tables(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    return model.get_input_embeddings().weight, model.get_output_embeddings().weight


def is_tied(model: Any) -> bool:
    embeddings, head = tables(model)
    return embeddings is head


@pytest.mark.parametrize("name", list(TIED))
def test_digits_become_number_tokens_with_rows_of_their_own(name: str) -> None:
    tokenizer, model = setup(name)
    assert is_tied(model) == TIED[name]
    new_ids = add_digit_tokens(tokenizer, model)
    vocab = NumberVocab.from_tokenizer(tokenizer)
    assert sorted(new_ids) == sorted(vocab.ids.tolist())
    assert vocab.values.tolist() == list(range(10))
    assert is_tied(model) == TIED[name]
    for table in tables(model):
        assert table.shape[0] == len(tokenizer) == model.config.vocab_size
        rows = table[new_ids]
        assert rows.isfinite().all()
        # The tiny models' rows are a few units long: equal rows could never be told apart by training.
        assert torch.pdist(rows).min() > 1e-3


@pytest.mark.parametrize("name", list(TIED))
def test_new_rows_are_close_to_the_old_ones_and_old_rows_stay(name: str) -> None:
    tokenizer, model = setup(name)
    before = [table.clone() for table in tables(model)]
    new_ids = add_digit_tokens(tokenizer, model)
    for old, table in zip(before, tables(model), strict=True):
        assert torch.equal(table[: old.shape[0]], old)
        # A digit should be about as probable as any token: an outlier in the softmax would wreck the first steps.
        distance = (table[new_ids] - old.mean(0)).norm(dim=-1)
        assert (distance < 0.3 * (old - old.mean(0)).norm(dim=-1).mean()).all()


@pytest.mark.parametrize("name", list(TIED))
def test_the_model_runs_and_trains_its_new_rows(name: str) -> None:
    tokenizer, model = setup(name)
    new_ids = add_digit_tokens(tokenizer, model)
    ids = torch.tensor([tokenizer("a 3+05=8")["input_ids"]])
    output = model(input_ids=ids, labels=ids)
    assert output.logits.shape[-1] == len(tokenizer)
    output.loss.backward()
    assert tables(model)[1].grad[new_ids].abs().sum(-1).gt(0).all()


@pytest.mark.filterwarnings("error:The tokenizer drops spaces")
@pytest.mark.parametrize("characters", [LETTERS, "01234" + LETTERS], ids=["none", "some"])
def test_text_with_digits_survives_encoding(characters: str) -> None:
    tokenizer, model = setup(characters=characters)
    assert tokenizer.decode(tokenizer.encode("a 305")) != "a 305"
    add_digit_tokens(tokenizer, model)
    ids = tokenizer.encode("a 305")
    assert tokenizer.convert_ids_to_tokens(ids) == ["a", " ", "3", "0", "5"]
    assert tokenizer.decode(ids) == "a 305"


def test_lost_spaces_are_reported() -> None:
    # T5's tokenizer strips what is left and right of an added token: nothing can be done about it from here.
    model = sentencepiece_model()
    pieces = [(model.id_to_piece(i), model.get_score(i)) for i in range(model.get_piece_size())]
    tokenizer = T5Tokenizer(vocab=[piece for piece in pieces if not any(map(str.isdigit, piece[0]))], extra_ids=0)
    with pytest.warns(UserWarning, match="reads '0 0' as '00'"):
        add_digit_tokens(tokenizer, tiny_model("t5", vocab_size=len(tokenizer)))
    ids = tokenizer.encode("number 305 and 7", add_special_tokens=False)
    assert [token for token in tokenizer.convert_ids_to_tokens(ids) if token.isdigit()] == ["3", "0", "5", "7"]


@pytest.mark.parametrize("name", ["llama", "llama-tied"])
def test_a_second_call_changes_nothing(name: str) -> None:
    tokenizer, model = setup(name)
    add_digit_tokens(tokenizer, model)
    vocab, weights = tokenizer.get_vocab(), copy.deepcopy(model.state_dict())
    assert add_digit_tokens(tokenizer, model) == []
    assert tokenizer.get_vocab() == vocab
    assert all(torch.equal(weights[key], value) for key, value in model.state_dict().items())


def test_nothing_is_missing() -> None:
    tokenizer, model = setup(characters="0123456789 a")
    before, model_before = len(tokenizer), copy.deepcopy(model.state_dict())
    assert add_digit_tokens(tokenizer, model) == []
    assert len(tokenizer) == before
    assert all(torch.equal(model_before[key], value) for key, value in model.state_dict().items())


@pytest.mark.parametrize("padding", [10, 40])
@pytest.mark.parametrize("name", ["llama", "llama-tied"])
def test_a_padded_vocabulary_with_room_keeps_its_size(name: str, padding: int) -> None:
    tokenizer, model = setup(name, padding=padding)
    size, objects = model.config.vocab_size, tables(model)
    before = [table.clone() for table in objects]
    new_ids = add_digit_tokens(tokenizer, model)
    for table, same, old in zip(tables(model), objects, before, strict=True):
        assert table is same, "an optimizer that holds the parameter must not lose it"
        assert table.shape[0] == size == model.config.vocab_size
        untouched = [i for i in range(size) if i not in new_ids]
        assert torch.equal(table[untouched], old[untouched])
        assert (table[new_ids] != old[new_ids]).any(-1).all(), "a padding row was never trained"


def test_a_padded_vocabulary_without_enough_room_grows_to_the_tokenizer() -> None:
    tokenizer, model = setup(padding=4)
    add_digit_tokens(tokenizer, model)
    assert {table.shape[0] for table in tables(model)} == {len(tokenizer)}


def test_padding_rows_do_not_reach_the_new_rows() -> None:
    rows = []
    for filling in (0.0, 1e6):
        tokenizer, model = setup(padding=20)
        with torch.no_grad():
            for table in tables(model):
                table[len(tokenizer) :] = filling
        new_ids = add_digit_tokens(tokenizer, model)
        rows.append([table[new_ids].clone() for table in tables(model)])
    assert all(torch.equal(plain, odd) for plain, odd in zip(*rows, strict=True))


def test_only_the_missing_digits_are_added() -> None:
    tokenizer, model = setup(characters="01234" + LETTERS)
    old = tokenizer.get_vocab()
    new_ids = add_digit_tokens(tokenizer, model)
    assert tokenizer.convert_ids_to_tokens(new_ids) == list("56789")
    assert {token: i for token, i in tokenizer.get_vocab().items() if i not in new_ids} == old
    assert NumberVocab.from_tokenizer(tokenizer).values.tolist() == list(range(10))


@pytest.mark.filterwarnings("ignore:The tokenizer drops spaces")
def test_a_row_is_the_mean_of_the_pieces_that_wrote_the_digit() -> None:
    # Where the model knows a digit by another spelling, that is the place to start.
    sentencepiece = sentencepiece_model()
    pieces = [(sentencepiece.id_to_piece(i), sentencepiece.get_score(i)) for i in range(10)]
    tokenizer = T5Tokenizer(vocab=[*pieces, ("▁", -1.0), ("x", -1.0)], extra_ids=0)
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(Regex("[0-9]"), "x")
    model = tiny_model("t5", vocab_size=len(tokenizer))
    written = tokenizer.encode("5", add_special_tokens=False)
    assert tokenizer.convert_ids_to_tokens(written) == ["▁", "x"]
    new_ids = add_digit_tokens(tokenizer, model)
    for table in tables(model):
        assert torch.allclose(table[new_ids[5]], table[written].mean(0))


def test_an_output_bias_gets_entries() -> None:
    tokenizer = char_tokenizer(LETTERS)
    config = PhiConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2
    )
    model = PhiForCausalLM(config)
    torch.nn.init.normal_(model.lm_head.bias, mean=5.0)
    old = model.lm_head.bias.clone()
    new_ids = add_digit_tokens(tokenizer, model)
    bias = model.get_output_embeddings().bias
    assert bias.shape[0] == len(tokenizer)
    assert torch.equal(bias[: len(old)], old)
    assert ((bias[new_ids] - old.mean()).abs() < 0.5 * old.std()).all()


@pytest.mark.parametrize("how", ["get_peft_model", "add_adapter"])
def test_a_model_with_an_adapter_is_refused(how: str) -> None:
    tokenizer, model = setup()
    config = LoraConfig(target_modules=["q_proj"])
    if how == "add_adapter":
        if version.parse(peft.__version__) < version.parse(MIN_PEFT_VERSION):
            pytest.skip(f"`add_adapter` of this transformers needs peft {MIN_PEFT_VERSION}")
        model.add_adapter(config)
    else:
        model = get_peft_model(model, config)
    before = tokenizer.get_vocab()
    with pytest.raises(ValueError, match="before the adapter"):
        add_digit_tokens(tokenizer, model)
    assert tokenizer.get_vocab() == before


def test_bfloat16_rows_stay_bfloat16() -> None:
    tokenizer, model = setup()
    new_ids = add_digit_tokens(tokenizer, model.to(torch.bfloat16))
    for table in tables(model):
        assert table.dtype == torch.bfloat16
        assert len(table[new_ids].unique(dim=0)) == 10


def test_a_digit_that_is_a_special_token_is_not_overwritten() -> None:
    tokenizer, model = char_tokenizer("abc", pad_token="0"), tiny_model()
    before = model.get_input_embeddings().weight.detach().clone()
    with pytest.raises(ValueError, match=r"\['0'\] as special tokens"):
        add_digit_tokens(tokenizer, model)
    assert torch.equal(model.get_input_embeddings().weight, before)
    assert "1" not in tokenizer.get_vocab()
