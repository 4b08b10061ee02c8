"""Teacher-forced sums against float64 log-softmax row by row, and against what the trainers log."""

import math

import pytest
import torch

from ntl_hf import (
    NTLConfig,
    NTLSeq2SeqTrainer,
    NTLTrainer,
    NumberVocab,
)
from ntl_hf.data import TextEncoder
from ntl_hf.evaluation.teacher_forced import OFFSETS, score_sums, teacher_forced_sums
from tests.build import make_trainer
from tests.reference import DIGIT_IDS
from tests.tiny import char_tokenizer, prompt_completion, tiny_model

KINDS = ("llama", "t5")


def case(kind, rows=7):
    model, tokenizer = tiny_model(kind).eval(), char_tokenizer()
    encoded = TextEncoder(tokenizer, model.config.is_encoder_decoder, 64).encode(prompt_completion(rows))
    return model, tokenizer, encoded, NumberVocab.from_tokenizer(tokenizer)


def by_hand(model, row):
    """One row without padding, in float64."""
    ids, labels = (torch.tensor([row[name]]) for name in ("input_ids", "labels"))
    if model.config.is_encoder_decoder:
        decoder_ids = torch.cat([torch.full((1, 1), model.config.decoder_start_token_id), labels[:, :-1]], 1)
        logits = model(input_ids=ids, decoder_input_ids=decoder_ids).logits
    else:
        logits, labels = model(input_ids=ids).logits[:, :-1], labels[:, 1:]
    log_probs = logits[labels != -100].double().log_softmax(-1)
    labels = labels[labels != -100]
    number = (labels >= DIGIT_IDS[0]) & (labels <= DIGIT_IDS[-1])
    probs, true = log_probs[number].exp()[:, list(DIGIT_IDS)], (labels[number] - DIGIT_IDS[0]).double()
    among = probs / probs.sum(-1, keepdim=True)
    off = torch.arange(10)[None] - true[:, None]
    return {
        "cross_entropy": -log_probs.gather(1, labels[:, None]).sum(),
        "tokens": len(labels),
        "right": (log_probs.argmax(-1) == labels).sum(),
        "numbers": number.sum(),
        "number_error": ((among * torch.arange(10)).sum(-1) - true).abs().sum(),
        "number_mass": probs.sum(),
        "number_nll": -log_probs.gather(1, labels[:, None])[number].sum(),
        "offsets": torch.stack([(among * (off == offset)).sum() for offset in OFFSETS]),
    }


@pytest.mark.parametrize("padding_side", ["left", "right"])
@pytest.mark.parametrize("batch_size", [1, 3, 16])
@pytest.mark.parametrize("kind", [*KINDS, "gpt2", "bart"])
@torch.no_grad()
def test_sums_are_those_of_each_row_alone(kind, batch_size, padding_side):
    """Also where positions are counted from the start of the padding."""
    model, tokenizer, rows, vocab = case(kind)
    tokenizer.padding_side = padding_side
    sums = teacher_forced_sums(model, tokenizer, rows, vocab, batch_size)
    wanted = sorted((by_hand(model, row) for row in rows), key=lambda row: row["cross_entropy"])
    # Rows are run by their length.
    found = sorted(range(len(rows)), key=lambda i: sums.cross_entropy[i])
    for name in ("cross_entropy", "tokens", "right", "numbers", "number_error", "number_mass", "number_nll"):
        values = [getattr(sums, name)[i] for i in found]
        assert values == pytest.approx([float(row[name]) for row in wanted], rel=1e-4, abs=1e-5), name
    torch.testing.assert_close(sums.offsets, sum(row["offsets"] for row in wanted), rtol=1e-4, atol=1e-5)
    assert sum(sums.number_distribution()["probability"]) == pytest.approx(1)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_what_the_trainer_logs(kind, tmp_path):
    model, tokenizer, rows, vocab = case(kind)
    trainer_class = NTLSeq2SeqTrainer if kind == "t5" else NTLTrainer
    options = {"ntl_config": NTLConfig(), "eval_dataset": rows, "train_dataset": rows}
    trainer = make_trainer(trainer_class, model, tmp_path, trainer_options=options, per_device_eval_batch_size=2)
    logged = trainer.evaluate()
    scores = score_sums(teacher_forced_sums(model.eval(), tokenizer, rows, vocab, 4), resamples=50)
    for mine, theirs in (("cross_entropy", "ce_loss"), ("number_mae", "number_mae"), ("number_mass", "number_mass")):
        assert scores[mine].value == pytest.approx(logged[f"eval_{theirs}"], rel=1e-5), mine
    assert scores["number_mae"].low <= scores["number_mae"].value <= scores["number_mae"].high


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_the_likelihood_and_calibration_of_digits(kind):
    """Over all digits at once, whatever rows and batches they are in."""
    model, tokenizer, rows, vocab = case(kind, 12)
    scores = score_sums(teacher_forced_sums(model, tokenizer, rows, vocab, 5), resamples=200)
    pairs = torch.cat([digits_by_hand(model, row) for row in rows]).numpy()
    wanted = sum(
        abs((inside[:, 1] - inside[:, 0]).sum())
        for m in range(10)
        if len(inside := pairs[(pairs[:, 0] > m / 10) & (pairs[:, 0] <= (m + 1) / 10)])
    )
    assert scores["digit_ece"].value == pytest.approx(wanted / len(pairs), rel=1e-4)
    nll = sum(float(by_hand(model, row)["number_nll"]) for row in rows)
    assert scores["digit_nll"].value == pytest.approx(nll / len(pairs), rel=1e-4)
    assert scores["digit_nll"].low < scores["digit_nll"].value < scores["digit_nll"].high
    assert 0 < scores["digit_ece"].low < scores["digit_ece"].high < 1


def digits_by_hand(model, row):
    """Probability of the likeliest digit among digits, and whether it is the label, `[digits, 2]`, float64."""
    ids, labels = (torch.tensor([row[name]]) for name in ("input_ids", "labels"))
    if model.config.is_encoder_decoder:
        logits = model(input_ids=ids, labels=labels).logits
    else:
        logits, labels = model(input_ids=ids).logits[:, :-1], labels[:, 1:]
    number = (labels >= DIGIT_IDS[0]) & (labels <= DIGIT_IDS[-1])
    confidence, likeliest = logits[number][:, list(DIGIT_IDS)].double().softmax(-1).max(-1)
    return torch.stack([confidence, (likeliest + DIGIT_IDS[0] == labels[number]).double()], 1)


def test_answers_without_any_number():
    model, tokenizer, _, vocab = case("llama")
    rows = TextEncoder(tokenizer, False, 64).encode(prompt_completion(4, text_rows=4))
    sums = teacher_forced_sums(model, tokenizer, rows, vocab, 4)
    assert sums.numbers == [0] * 4 and sums.number_distribution() is None
    scores = score_sums(sums, resamples=0)
    assert scores["number_mae"].value != scores["number_mae"].value  # NaN
    assert all(math.isnan(scores[name].value) for name in ("digit_nll", "digit_ece"))
    assert scores["token_accuracy"].value >= 0
