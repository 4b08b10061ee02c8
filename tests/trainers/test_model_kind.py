"""Models that are no language models are refused at once, by whatever trains with the number loss."""

import pytest
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import Trainer, TrainingArguments
from transformers.modeling_outputs import TokenClassifierOutput

from ntl_hf import (
    NTLLossCallback,
    NTLSeq2SeqTrainer,
    NTLSFTTrainer,
    NTLTrainer,
    ntl_loss_func,
)
from ntl_hf.trainers.model_kind import check_language_model
from tests.build import make_args, make_trainer
from tests.tiny import ARCHITECTURES, char_tokenizer, tiny_model, tokenized

TRAINERS = [NTLTrainer, NTLSeq2SeqTrainer, NTLSFTTrainer]
OTHERS = {
    "LlamaForSequenceClassification": ("llama", {"num_labels": 3}),
    "LlamaForTokenClassification": ("llama", {}),
    "LlamaForQuestionAnswering": ("llama", {}),
    "LlamaModel": ("llama", {}),
    "T5ForSequenceClassification": ("t5", {"num_labels": 3}),
    "T5EncoderModel": ("t5", {}),
    "BartModel": ("bart", {}),
}


def other_model(name, **options):
    architecture, settings = OTHERS[name]
    config = tiny_model(architecture).config
    for key, value in {**settings, **options}.items():
        setattr(config, key, value)
    return getattr(transformers, name)(config)


@pytest.mark.parametrize("trainer_class", TRAINERS)
@pytest.mark.parametrize("name", OTHERS)
def test_no_language_model_is_refused_by_the_trainers(name, trainer_class, tmp_path):
    with pytest.raises(ValueError, match=rf"{name} is no language model.*AutoModelForCausalLM"):
        make_trainer(trainer_class, other_model(name), tmp_path)


@pytest.mark.parametrize("trainer_class", TRAINERS)
@pytest.mark.parametrize("adapted", [False, True])
def test_one_output_is_a_case_for_a_regression_head(adapted, trainer_class, tmp_path):
    model = other_model("LlamaForSequenceClassification", num_labels=1)
    if adapted:
        model = get_peft_model(model, LoraConfig(target_modules=["q_proj"], task_type="SEQ_CLS"))
    with pytest.raises(ValueError, match=r"is no language model.*load_regression_head.*NumberHeadTrainer"):
        make_trainer(trainer_class, model, tmp_path)


def test_a_model_of_model_init_too(tmp_path):
    options = {"model_init": lambda: other_model("LlamaForTokenClassification")}
    with pytest.raises(ValueError, match="is no language model"):
        make_trainer(NTLTrainer, None, tmp_path, trainer_options=options)


@pytest.mark.parametrize("trainer_class", TRAINERS)
@pytest.mark.parametrize("name", ["bert", "electra"])
def test_a_model_of_pretraining_heads_is_refused(name, trainer_class, tmp_path):
    """It has output embeddings, and calls what they give `prediction_logits`."""
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.AutoConfig.for_model(name, vocab_size=len(char_tokenizer()), **sizes)
    with pytest.raises(ValueError, match=r"ForPreTraining is no language model.*AutoModelForMaskedLM"):
        make_trainer(trainer_class, transformers.AutoModelForPreTraining.from_config(config), tmp_path)


@pytest.mark.parametrize("trainer_class", TRAINERS)
def test_a_module_without_a_config_is_refused(trainer_class, tmp_path):
    module = torch.nn.Linear(3, 4)
    given = {"model": module} if trainer_class is NTLSFTTrainer else {"model": None}
    options = {} if trainer_class is NTLSFTTrainer else {"model_init": lambda: module}
    with pytest.raises(ValueError, match=r"^Linear has no `config` of transformers.*take a `PreTrainedModel`"):
        make_trainer(trainer_class, folder=tmp_path, trainer_options=options, **given)


class UnnamedLogits(torch.nn.Module):
    """A language model whose logits have a name of its own."""

    def __init__(self):
        super().__init__()
        self.inner = tiny_model()
        self.config = self.inner.config

    def get_output_embeddings(self):
        return self.inner.get_output_embeddings()

    def forward(self, input_ids=None, attention_mask=None, labels=None, **kwargs):
        outputs = self.inner(input_ids=input_ids, attention_mask=attention_mask, labels=labels)
        return {"loss": outputs.loss, "prediction_logits": outputs.logits}


def test_a_model_with_logits_of_another_name_is_refused_by_its_outputs(tmp_path):
    trainer = make_trainer(NTLTrainer, UnnamedLogits(), tmp_path)
    with pytest.raises(ValueError, match=r"\(dict\) have no `logits`; needed are"):
        trainer.train()
    assert trainer.state.global_step == 0


@pytest.mark.parametrize("name", ["LlamaForSequenceClassification", "LlamaForTokenClassification"])
@pytest.mark.parametrize("by", ["ntl_loss_func", "its callback", "NTLLossCallback"])
def test_no_language_model_is_refused_in_stock_trainers(by, name, tmp_path):
    tokenizer, function = char_tokenizer(), ntl_loss_func(char_tokenizer(), shift=True)
    options = {
        "ntl_loss_func": {"compute_loss_func": function},
        "its callback": {"compute_loss_func": function, "callbacks": [function.callback]},
        "NTLLossCallback": {"callbacks": [NTLLossCallback(tokenizer)]},
    }[by]
    model, args = other_model(name, num_labels=1), make_args(TrainingArguments, tmp_path)
    collate = transformers.DataCollatorForSeq2Seq(tokenizer)
    trainer = Trainer(model, args, train_dataset=tokenized(tokenizer, 8), data_collator=collate, **options)
    with pytest.raises(ValueError, match=r"no language model|1 logits, too few"):
        trainer.train()


class OfOnesOwn(torch.nn.Module):
    """Classifies tokens, which only its outputs can tell."""

    def __init__(self):
        super().__init__()
        self.inner = tiny_model()
        self.config, self.score = self.inner.config, torch.nn.Linear(32, 5)

    def forward(self, input_ids=None, attention_mask=None, labels=None, **kwargs):
        states = self.inner.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return TokenClassifierOutput(logits=self.score(states))


def test_a_model_of_ones_own_is_refused_by_its_outputs(tmp_path):
    trainer = make_trainer(NTLTrainer, OfOnesOwn(), tmp_path)
    with pytest.raises(ValueError, match=r"\(TokenClassifierOutput\) have logits \[1, \d+, 5\]; needed are"):
        trainer.train()
    assert trainer.state.global_step == 0


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_language_models_pass(name):
    check_language_model(tiny_model(name))


def test_a_language_model_without_output_embeddings_passes():
    model = tiny_model()
    model.get_output_embeddings = lambda: None
    check_language_model(model)
