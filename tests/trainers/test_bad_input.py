"""What is refused, and that it is refused before training."""

import types

import pytest
import torch
from accelerate.utils import DistributedType
from datasets import Dataset, IterableDataset
from transformers import DataCollatorForSeq2Seq, TrainingArguments
from trl import SFTConfig

from ntl_hf import (
    NTLConfig,
    NTLSFTConfig,
    NTLSFTTrainer,
    NTLTrainer,
    NTLTrainingArguments,
)
from ntl_hf.tokens.number_vocab import NoNumberTokensError
from ntl_hf.trainers.checks import check_parallelism
from tests.build import make_args, make_trainer, parameters, relative_difference
from tests.tiny import char_tokenizer, prompt_completion, tiny_model, tokenized


def labelled(*labels):
    return Dataset.from_list([{"input_ids": list(range(4, 4 + len(row))), "labels": list(row)} for row in labels])


def plain_trainer(folder, dataset, **options):
    tokenizer = char_tokenizer()
    return NTLTrainer(
        model=tiny_model(),
        args=make_args(NTLTrainingArguments, folder),
        train_dataset=dataset,
        processing_class=tokenizer,
        **{"data_collator": DataCollatorForSeq2Seq(tokenizer), **options},
    )


@pytest.mark.parametrize("weight", [0.3, 0])
@pytest.mark.parametrize("label", [64, -5, 100_000])
def test_labels_outside_the_vocabulary(label, weight, tmp_path):
    good, bad = [5, 6, 7], [5, label, 7]
    trainer = plain_trainer(tmp_path, labelled(*[good] * 2000, bad), ntl_config=NTLConfig(weight=weight))
    before = parameters(trainer.model)
    with pytest.raises(ValueError, match=rf"contain {label}, .* vocabulary of 64"):
        trainer.train()
    assert relative_difference(parameters(trainer.model), before) == 0


def test_labels_outside_the_vocabulary_in_a_stream(tmp_path):
    stream = IterableDataset.from_generator(lambda: iter([{"input_ids": [5, 6], "labels": [5, 99]}] * 8))
    trainer = plain_trainer(tmp_path, stream)
    with pytest.raises(ValueError, match="contain 99"):
        trainer.train()
    assert trainer.state.global_step == 0


@pytest.mark.parametrize("trainer_class", [NTLTrainer, NTLSFTTrainer])
def test_no_numbers_in_the_whole_set(trainer_class, tmp_path):
    trainer = make_trainer(trainer_class, tiny_model(), tmp_path, rows=8, text_rows=8)
    with pytest.raises(ValueError, match=r"No label .* is a number token.*ntl_weight"):
        trainer.train()
    without = make_trainer(
        trainer_class, tiny_model(), tmp_path, rows=8, text_rows=8, trainer_options={"ntl_config": NTLConfig(weight=0)}
    )
    without.train()
    assert without.state.global_step == 1


def test_no_numbers_where_labels_are_made_on_the_fly(tmp_path):
    """A set without a label column is sampled; the check draws no random numbers that training would miss."""
    rows = [{"input_ids": [20, 21, 22]}] * 8
    collate = lambda examples: {  # noqa: E731
        "input_ids": torch.tensor([e["input_ids"] for e in examples]),
        "labels": torch.tensor([e["input_ids"] for e in examples]) + 0 * int(torch.randint(5, ())),
    }
    trainer = plain_trainer(tmp_path, rows, data_collator=collate)
    state = torch.random.get_rng_state()
    with pytest.raises(ValueError, match="No label"):
        trainer.check_training_data()
    assert torch.equal(torch.random.get_rng_state(), state)
    with pytest.warns(UserWarning, match="In the first 1000 examples, no label"):
        plain_trainer(tmp_path, rows * 200, data_collator=collate).check_training_data()


def test_batches_without_labels(tmp_path):
    collate = lambda examples: {"input_ids": torch.tensor([e["input_ids"] for e in examples])}  # noqa: E731
    with pytest.raises(ValueError, match="no `labels`"):
        plain_trainer(tmp_path, [{"input_ids": [5, 6]}] * 8, data_collator=collate).train()


def test_a_stream_without_labels(tmp_path):
    stream = IterableDataset.from_generator(lambda: iter([{"input_ids": [5, 6]}] * 8))
    with pytest.raises(ValueError, match="no `labels`"):
        plain_trainer(tmp_path, stream).train()


def test_no_tokenizer(tmp_path):
    with pytest.raises(ValueError, match="processing_class=tokenizer"):
        NTLTrainer(model=tiny_model(), args=make_args(TrainingArguments, tmp_path), train_dataset=[])


def test_tokenizer_without_numbers(tmp_path):
    with pytest.raises(NoNumberTokensError, match="add_digit_tokens"):
        make_trainer(NTLTrainer, tiny_model(), tmp_path, tokenizer=char_tokenizer("abc+= "))


def test_model_narrower_than_the_number_tokens(tmp_path):
    with pytest.raises(ValueError, match=r"8 logits, too few for .*'4'"):
        make_trainer(NTLTrainer, tiny_model(vocab_size=8), tmp_path)


def test_settings_given_twice_and_differently(tmp_path):
    with pytest.raises(ValueError, match=r"disagree \(weight: 0.5 -> 0.7\)"):
        make_trainer(
            NTLTrainer, tiny_model(), tmp_path, ntl_weight=0.5, trainer_options={"ntl_config": NTLConfig(weight=0.7)}
        )


@pytest.mark.parametrize(
    "bad", [{"ntl_weight": -1.0}, {"ntl_weight": float("nan")}, {"ntl_loss": "waz"}, {"ntl_digits_only": "no"}]
)
def test_settings_out_of_range_are_refused_by_the_arguments(bad, tmp_path):
    (name,) = bad
    with pytest.raises(ValueError, match=name):
        make_args(NTLSFTConfig, tmp_path, **bad)


@pytest.mark.parametrize("arguments_class", [TrainingArguments, SFTConfig])
def test_plain_argument_classes_take_the_defaults(arguments_class, tmp_path):
    trainer_class = NTLSFTTrainer if arguments_class is SFTConfig else NTLTrainer
    trainer = make_trainer(trainer_class, tiny_model(), tmp_path, args_class=arguments_class)
    assert trainer.ntl_config == NTLConfig()
    trainer.train()
    assert trainer.state.log_history[0]["ntl_weight"] == 0.3


def fake_trainer(n_gpu=1, **parallelism):
    config = types.SimpleNamespace(**parallelism) if parallelism else None
    accelerator = types.SimpleNamespace(
        parallelism_config=config, num_processes=1, distributed_type=DistributedType.NO
    )
    return types.SimpleNamespace(args=types.SimpleNamespace(n_gpu=n_gpu, fsdp=[]), accelerator=accelerator)


def test_data_parallel_and_sequence_parallelism():
    with pytest.raises(ValueError, match=r"nn\.DataParallel.*accelerate launch"):
        check_parallelism(fake_trainer(n_gpu=2))
    with pytest.raises(ValueError, match="sequence parallelism"):
        check_parallelism(fake_trainer(sp_enabled=True, sp_backend="deepspeed"))
    check_parallelism(fake_trainer(sp_enabled=False, sp_backend="deepspeed"))
    check_parallelism(fake_trainer())


def test_argument_class_of_another_trainer(tmp_path):
    with pytest.raises(TypeError, match="takes `NTLSFTConfig`"):
        make_trainer(NTLSFTTrainer, tiny_model(), tmp_path, args_class=NTLTrainingArguments)


def test_data_parallel_reaches_the_trainer(tmp_path):
    args = make_args(TrainingArguments, tmp_path)
    args._n_gpu = 2
    with pytest.raises(ValueError, match=r"nn\.DataParallel"):
        NTLTrainer(
            model=tiny_model(), args=args, train_dataset=tokenized(char_tokenizer()), processing_class=char_tokenizer()
        )


def test_peft_config_errors(tmp_path):
    from peft import LoraConfig

    for options, error in (
        ({"peft_config": {"r": 8}}, "peft.PeftConfig"),
        ({"peft_config": LoraConfig(), "model": None}, "needs `model`"),
    ):
        model = options.pop("model", tiny_model())
        with pytest.raises((TypeError, ValueError), match=error):
            NTLTrainer(model=model, args=make_args(TrainingArguments, tmp_path), **options)


def test_resuming_with_other_settings_warns_and_says_which(tmp_path):
    saving = {"max_steps": 2, "save_strategy": "steps", "save_steps": 1}
    make_trainer(NTLSFTTrainer, tiny_model(), tmp_path, **saving).train()
    assert NTLConfig.load(tmp_path / "checkpoint-1") == NTLConfig()
    other = make_trainer(NTLSFTTrainer, tiny_model(), tmp_path, ntl_weight=0.6, ntl_loss="mae", **saving)
    with pytest.warns(UserWarning, match=r"weight: 0.3 -> 0.6; loss: 'was' -> 'mae'"):
        other.train(resume_from_checkpoint=str(tmp_path / "checkpoint-1"))
    for ours in ("ntl_config.json", "checkpoint_manifest.json"):  # what a stock checkpoint does not have
        (tmp_path / "checkpoint-2" / ours).unlink()
    with pytest.warns(UserWarning, match="has no ntl_config.json"):
        make_trainer(NTLSFTTrainer, tiny_model(), tmp_path, **saving).train(resume_from_checkpoint=True)


def test_sft_names_missing_columns(tmp_path):
    dataset = prompt_completion().rename_columns({"prompt": "question"})
    with pytest.raises(
        ValueError, match=r"columns \['question', 'completion'\]; needed are 'prompt' and 'completion'"
    ):
        make_trainer(NTLSFTTrainer, tiny_model(), tmp_path, trainer_options={"train_dataset": dataset})


@pytest.mark.parametrize(
    ("trainer_class", "arguments", "options", "other"),
    [
        (NTLTrainer, {"label_smoothing_factor": 0.1}, {}, "`label_smoothing_factor`"),
        (NTLSFTTrainer, {"loss_type": "dft"}, {}, "`loss_type: dft`"),
        (
            NTLTrainer,
            {},
            {"compute_loss_func": lambda outputs, labels, **_: outputs.logits.sum()},
            "`compute_loss_func`",
        ),
    ],
)
def test_soft_targets_beside_another_cross_entropy(trainer_class, arguments, options, other, tmp_path):
    options = {"ntl_config": NTLConfig(gaussian_sigma=1.0), **options}
    with pytest.raises(ValueError, match=f"ntl_gaussian_sigma.*remove it or {other}"):
        make_trainer(trainer_class, tiny_model(), tmp_path, trainer_options=options, **arguments)


def sft_rows(*completions):
    return Dataset.from_list([{"prompt": "1+1=", "completion": each} for each in completions])


def test_sft_on_whole_numbers_is_sft_on_their_texts(tmp_path):
    stream = IterableDataset.from_generator(lambda: iter(list(sft_rows(2, 34)) * 8))
    states = []
    for train, test in ((sft_rows("2", "34"), sft_rows("5")), (sft_rows(2, 34), {"a": sft_rows(5)})):
        trainer = make_trainer(
            NTLSFTTrainer, tiny_model(), tmp_path, trainer_options={"train_dataset": train, "eval_dataset": test}
        )
        states.append(trainer)
    texts, numbers = states
    for column in ("input_ids", "labels"):
        assert texts.train_dataset[column][:] == numbers.train_dataset[column][:]
        assert texts.eval_dataset[column][:] == numbers.eval_dataset["a"][column][:]
    texts.train()
    numbers.train()
    assert relative_difference(parameters(texts.model), parameters(numbers.model)) == 0
    streamed = make_trainer(NTLSFTTrainer, tiny_model(), tmp_path, trainer_options={"train_dataset": stream})
    assert next(iter(streamed.train_dataset))["input_ids"] == texts.train_dataset[0]["input_ids"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_dataset": sft_rows(2.0)}, "data set 'train': the column 'completion' is of type float64"),
        (
            {"eval_dataset": {"a": sft_rows("2"), "b": sft_rows(True)}},
            "data set 'b': the column 'completion' is .* bool",
        ),
        ({"train_dataset": sft_rows("2", None)}, "'train': 1 rows have no 'completion'"),
        ({"train_dataset": Dataset.from_list([{"text": 2.5}])}, "the column 'text' is of type float64"),
        (
            {"train_dataset": Dataset.from_list([{"messages": [{"role": "user", "content": 2.5}]}])},
            "the column 'messages' is of type float64",
        ),
        (
            {"train_dataset": IterableDataset.from_generator(lambda: iter([{"prompt": "1", "completion": 2.5}]))},
            "row 1: 'completion' is of type float",
        ),
        (
            {"train_dataset": IterableDataset.from_generator(lambda: iter([{"question": "1"}]))},
            r"columns \['question'\]; needed are",
        ),
    ],
)
def test_sft_on_what_is_no_text(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        make_trainer(NTLSFTTrainer, tiny_model(), tmp_path, trainer_options=options)


def sft_trainer(folder, dataset, **options):
    args = make_args(NTLSFTConfig, folder)
    return NTLSFTTrainer(tiny_model(), args, train_dataset=dataset, processing_class=char_tokenizer(), **options)


EMPTY = {
    "set": prompt_completion(1).select([]),
    "stream": IterableDataset.from_generator(lambda: iter(())),
    "formatted": prompt_completion(1).select([]).with_format("pandas"),
}


@pytest.mark.parametrize("case", EMPTY)
def test_no_rows_at_all(case, tmp_path):
    with pytest.raises(ValueError, match="The training set has no rows"):
        sft_trainer(tmp_path, EMPTY[case])
    with pytest.raises(ValueError, match="The data set 'eval' has no rows"):
        sft_trainer(tmp_path, prompt_completion(4), eval_dataset=EMPTY[case])


@pytest.mark.parametrize("dataset", [labelled([5]).select([]), []])
def test_no_rows_of_tokens(dataset, tmp_path):
    with pytest.raises(ValueError, match="The training set has no rows"):
        plain_trainer(tmp_path, dataset).train()


@pytest.mark.parametrize("kind", ["pandas", "numpy"])
def test_rows_in_a_format_are_those_without(kind, tmp_path):
    plain = prompt_completion(4)
    expected = list(sft_trainer(tmp_path, plain).train_dataset)
    assert list(sft_trainer(tmp_path, plain.with_format(kind)).train_dataset) == expected
