"""The sums behind the pictures, on heads made by hand."""

import copy
import math

import numpy as np
import pytest
import torch

from ntl_hf import NumberVocab
from ntl_hf.head import head_from_logits
from ntl_hf.losses.head_output import HeadOutput
from ntl_hf.plots.beliefs import DigitBeliefs
from ntl_hf.plots.sums import BeliefMeter
from ntl_hf.tokens.targets import make_targets
from tests.syncs import CatchSyncs
from tests.tiny import char_tokenizer


def vocab_of(**tokens):
    """A vocabulary of the tokens named by value, in the order of value and id."""
    entries = sorted((float(value), i, token) for i, (token, value) in enumerate(tokens.items()))
    values, ids, names = zip(*entries, strict=True)
    return NumberVocab(torch.tensor(ids), torch.tensor(values), names)


def beliefs(meter: BeliefMeter, head: HeadOutput) -> DigitBeliefs:
    meter = copy.copy(meter)  # it goes on from what it has
    meter.add(meter.sums(head))
    return DigitBeliefs.from_sums(meter.read(), 3, "eval")


def head_of(columns, logits) -> HeadOutput:
    target = torch.tensor(columns)
    nothing = torch.zeros(target.shape)
    return HeadOutput(nothing, target >= 0, target, torch.as_tensor(logits, dtype=torch.float32), nothing)


def test_by_hand():
    """0.8 on 2 and 0.2 on 7, where 2 is true, and then 0.5 and 0.5, where 7 is."""
    logits = torch.full((1, 3, 10), -1e4)
    logits[0, 0, [2, 7]] = torch.tensor([0.8, 0.2]).log()
    logits[0, 2, [2, 7]] = torch.tensor([0.5, 0.5]).log()
    found = beliefs(BeliefMeter(NumberVocab.from_tokenizer(char_tokenizer())), head_of([[2, -1, 7]], logits))
    assert (found.step, found.prefix) == (3, "eval")
    assert found.count.tolist() == [0, 0, 1, 0, 0, 0, 0, 1, 0, 0]
    assert found.distribution[2, [2, 7]] == pytest.approx([0.8, 0.2])
    assert found.distribution[7, [2, 7]] == pytest.approx([0.5, 0.5])
    assert np.isnan(found.distribution[3]).all()
    # Expected values of 3 and of 4.5, which rounds up.
    assert found.bin_count.tolist() == [0, 0, 0, 1, 0, 1, 0, 0, 0, 0]
    assert (found.bin_expected[3], found.bin_true[3]) == (pytest.approx(3), 2)
    assert (found.bin_expected[5], found.bin_true[5]) == (pytest.approx(4.5), 7)
    # Two numbers: a position without one is between.
    assert found.position_count.tolist() == [2, 0, 0, 0, 0, 0, 0, 0]
    assert found.position_error[0] == pytest.approx((1 + 2.5) / 2)


def test_tokens_of_one_digit_are_one_and_other_numbers_are_left_out():
    vocab = vocab_of(**{"5": 5, "Ġ5": 5, "1": 1, "12": 12})
    assert vocab.tokens == ("1", "5", "Ġ5", "12")
    logits = torch.tensor([0.2, 0.1, 0.3, 0.4]).log().expand(1, 5, 4)
    # 1, " 5", 12, "5" in a row: the leading space begins another number.
    found = beliefs(BeliefMeter(vocab), head_of([[0, 2, 3, 1, -1]], logits))
    assert found.count.tolist() == [0, 1, 0, 0, 0, 2, 0, 0, 0, 0]
    for true in (1, 5):
        assert found.distribution[true, [1, 5]] == pytest.approx([1 / 3, 2 / 3])
    assert found.position_count.tolist() == [2, 0, 1, 0, 0, 0, 0, 0]


def test_the_last_position_stands_for_all_that_follow():
    columns = [[1] * 10 + [-1] * 2 + [1] * 2]
    found = beliefs(
        BeliefMeter(NumberVocab.from_tokenizer(char_tokenizer())), head_of(columns, torch.zeros(1, 14, 10))
    )
    assert found.position_count.tolist() == [2, 2, 1, 1, 1, 1, 1, 3]


def test_rows_and_batches_add_up():
    """Rows one by one, and all at once, are the same to the last digit."""
    torch.manual_seed(0)
    vocab = NumberVocab.from_tokenizer(char_tokenizer())
    logits, labels = torch.randn(6, 40, 64), torch.randint(0, 30, (6, 40))
    head = head_from_logits(logits, make_targets(labels, vocab))
    meter = BeliefMeter(vocab)
    sums = meter.sums(head)
    assert sums.shape == (6, 156) and sums.dtype == torch.float64
    for row in range(6):
        alone = meter.sums(head_from_logits(logits[row : row + 1], make_targets(labels[row : row + 1], vocab)))
        torch.testing.assert_close(alone[0], sums[row], rtol=1e-12, atol=1e-12)


def test_positions_without_a_number_do_not_count_whatever_stands_there():
    logits = torch.full((1, 3, 10), math.nan)
    logits[0, 1] = 0.0
    found = beliefs(BeliefMeter(NumberVocab.from_tokenizer(char_tokenizer())), head_of([[-1, 4, -1]], logits))
    assert found.distribution[4] == pytest.approx(np.full(10, 0.1))
    assert found.position_error[0] == pytest.approx(0.5)


def test_autocast_changes_nothing():
    torch.manual_seed(0)
    vocab = NumberVocab.from_tokenizer(char_tokenizer())
    head = head_of(torch.randint(-1, 10, (2, 50)).tolist(), torch.randn(2, 50, 10))
    plain = BeliefMeter(vocab).sums(head)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(BeliefMeter(vocab).sums(head), plain)


def test_nothing_is_read_back_from_the_device():
    vocab = NumberVocab.from_tokenizer(char_tokenizer())
    meter, head = BeliefMeter(vocab), head_of([[1, 2, -1]], torch.zeros(1, 3, 10))
    with CatchSyncs() as net:
        meter.add(meter.sums(head))
    assert net.found == []


def test_a_vocabulary_without_digits_is_refused():
    with pytest.raises(ValueError, match="no token of one: leave them out"):
        BeliefMeter(vocab_of(**{"12": 12, "34": 34}))


def test_kept_as_json_and_read_again(tmp_path):
    meter = BeliefMeter(NumberVocab.from_tokenizer(char_tokenizer()))
    found = beliefs(meter, head_of([[1, 2, -1]], torch.randn(1, 3, 10)))
    found.save(tmp_path / "a.json")
    again = DigitBeliefs.load(tmp_path / "a.json")
    for name, value in vars(found).items():
        np.testing.assert_array_equal(getattr(again, name), value)
    # Null, not a NaN that only Python reads.
    assert "NaN" not in (tmp_path / "a.json").read_text() and "null" in (tmp_path / "a.json").read_text()


@pytest.mark.parametrize("text", ["{oops", "[1]", '{"step": 1}', '{"step": 1, "prefix": "eval", "weight": 2}'])
def test_another_file_is_refused(text, tmp_path):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r"a\.json does not hold the numbers of an evaluation"):
        DigitBeliefs.load(tmp_path / "a.json")
