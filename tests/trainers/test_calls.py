"""The way of a batch is short: few files, few calls."""

from benchmarks.calls import count_calls, make_trainer


def test_the_loss_of_a_step_enters_few_files_and_makes_few_calls(tmp_path):
    calls = count_calls(make_trainer(str(tmp_path)))
    assert len(calls) <= 12, calls
    assert calls.total() <= 80, calls
