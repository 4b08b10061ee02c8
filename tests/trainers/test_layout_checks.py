"""What is refused before training of losses that look at whole numbers."""

import pytest
import torch

from ntl_hf import NTLConfig, NTLTrainer, NumberVocab
from ntl_hf.tokens.number_layout import NumberSyntax
from ntl_hf.trainers.layout_checks import check_layouts
from tests.build import make_trainer
from tests.tiny import char_tokenizer, tiny_model

TOKENIZER = char_tokenizer()
TOKENIZER.add_tokens(["345"])
SYNTAX = NumberSyntax.from_tokenizer(TOKENIZER, NumberVocab.from_tokenizer(TOKENIZER))
UNREADABLE, WORDS = "a 3451 b 9345", "no numbers"
RAFT = NTLConfig(loss="raft")


def check(texts, config, is_all=True):
    check_layouts([torch.tensor(TOKENIZER(text)["input_ids"]) for text in texts], SYNTAX, config, is_all)


@pytest.mark.parametrize(
    ("texts", "config", "message"),
    [
        ([UNREADABLE], NTLConfig(loss="number"), "no number .* can be read.*digits_only"),
        ([UNREADABLE, WORDS], NTLConfig(place_weights="ntil"), "no number .* can be read"),
        (["12 345", "67"], RAFT, "no number .* is one token.*'number'"),
        (["7 8"], NTLConfig(loss="raft", raft_grid=[1, 2, 3]), r"no answer .*raft_grid` \[1, 2, 3\].*\[7, 8\]"),
    ],
)
def test_nothing_to_act_on(texts, config, message):
    with pytest.raises(ValueError, match="(?i)" + message):
        check(texts, config)
    # What is seen of a larger set is no reason to refuse it.
    with pytest.warns(UserWarning, match="At its beginning, " + message):
        check(texts, config, is_all=False)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("texts", "config"),
    [([WORDS], NTLConfig(loss="number")), (["12", "7"], RAFT), ([], RAFT), (["12 -3.5"], NTLConfig(loss="number"))],
)
def test_something_to_act_on(texts, config):
    check(texts, config)


def test_many_that_cannot_be_read():
    with pytest.warns(UserWarning, match="2 of 3 numbers"):
        check([UNREADABLE, "5"], NTLConfig(loss="number"))


@pytest.mark.parametrize("config", [NTLConfig(place_weights="ntil"), NTLConfig(loss="number")])
def test_a_set_of_text_alone_is_refused_before_training(config, tmp_path):
    trainer = make_trainer(NTLTrainer, tiny_model(), tmp_path, text_rows=8, trainer_options={"ntl_config": config})
    with pytest.raises(ValueError, match="No label of the training set is a number token"):
        trainer.train()
    assert not list(tmp_path.glob("checkpoint*"))


def test_a_vocabulary_that_lacks_a_digit(tmp_path):
    tokenizer = char_tokenizer("012345678 abcdefghijklmnopqrstuvwxyz+-*/=().,?#")
    options = {"ntl_config": NTLConfig(loss="number"), "processing_class": tokenizer}
    with pytest.warns(UserWarning), pytest.raises(ValueError, match=r"lacks the digits \[9\].*add_digit_tokens"):
        make_trainer(NTLTrainer, tiny_model(), tmp_path, trainer_options=options)
