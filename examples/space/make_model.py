"""Make the demo's three tokenizers and its small model, as `model/` and `tokenizers/`; about five minutes on one core.

    python examples/space/make_model.py [FOLDER] [--steps 6000]

The model is a Llama of two layers of width 96, trained on the sentences of `corpus.py` with cross entropy and the
Number Token Loss, and saved in half precision to stay small.
"""

import argparse
import tempfile
from pathlib import Path

from corpus import sentences
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SPECIAL = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
ROWS, LONGEST = 60_000, 96


def byte_level(texts: list[str], digits: str, size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE that cuts numbers by the pattern `digits`, such as one to three digits."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(digits), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    core.decoder = decoders.ByteLevel()
    return _trained(core, texts, size, pre_tokenizers.ByteLevel.alphabet())


def sentence_pieces(texts: list[str], size: int) -> PreTrainedTokenizerFast:
    """BPE in SentencePiece's manner: `▁` for a space, and numbers in whatever pieces are frequent."""
    core = Tokenizer(models.BPE(unk_token=SPECIAL["unk_token"]))
    core.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()])
    core.decoder = decoders.Metaspace()
    return _trained(core, texts, size, [chr(code) for code in range(33, 127)])


def _trained(core: Tokenizer, texts: list[str], size: int, alphabet: list[str]) -> PreTrainedTokenizerFast:
    special = list(SPECIAL.values())
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(texts, trainer)
    begin = SPECIAL["bos_token"]
    core.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, core.token_to_id(begin))]
    )
    return PreTrainedTokenizerFast(tokenizer_object=core, model_max_length=LONGEST, **SPECIAL)


def make_tokenizers(texts: list[str]) -> dict[str, PreTrainedTokenizerFast]:
    """The tokenizers by the names of their folders."""
    # Every group of three digits, so that all of them become tokens.
    groups = [f"{number:03d}" for number in range(1000)] * 100
    return {
        "digits": byte_level(texts, "[0-9]", 512),
        "groups": byte_level(texts + groups, "[0-9]{1,3}", 1700),
        "pieces": sentence_pieces(texts, 700),
    }


def small_llama(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Random weights; about 1 / sqrt(width) as their scale lets a narrow model learn from the first step."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=96,
        intermediate_size=192,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=LONGEST,
        tie_word_embeddings=True,
        initializer_range=0.08,
        **{f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")},
    )
    return LlamaForCausalLM(config)


def train(tokenizer: PreTrainedTokenizerFast, texts: list[str], steps: int) -> LlamaForCausalLM:
    """A model trained on all tokens of the texts, with the settings that the tiny recipes use."""
    import torch
    from datasets import Dataset

    from ntl_hf import NTLSFTConfig, NTLSFTTrainer

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as scratch:
        args = NTLSFTConfig(
            output_dir=scratch,
            ntl_weight=0.1,
            ntl_loss="crps",
            max_steps=steps,
            per_device_train_batch_size=64,
            learning_rate=2e-3,
            lr_scheduler_type="cosine",
            warmup_steps=0.05,
            weight_decay=0.01,
            adam_beta2=0.98,
            max_length=LONGEST,
            # A calculation has 8 tokens, a review 40: batches of one length are several times faster.
            train_sampling_strategy="group_by_length",
            activation_checkpointing=False,
            bf16=False,
            use_cpu=True,
            logging_steps=200,
            save_strategy="no",
            report_to="none",
        )
        rows = Dataset.from_dict({"text": texts})
        model = small_llama(tokenizer)
        NTLSFTTrainer(model, args, train_dataset=rows, processing_class=tokenizer).train()
    return model.half()


def main(folder: Path, steps: int) -> None:
    texts = sentences(ROWS)
    tokenizers = make_tokenizers(texts)
    for name, tokenizer in tokenizers.items():
        tokenizer.save_pretrained(folder / "tokenizers" / name)
    train(tokenizers["digits"], texts, steps).save_pretrained(folder / "model")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    parser.add_argument("--steps", type=int, default=6000)
    arguments = parser.parse_args()
    main(arguments.folder, arguments.steps)
