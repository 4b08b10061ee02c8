"""The character tokenizer and the small decoder that the quickstart trains."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

_CHARACTERS = "0123456789+-*="
_SPECIAL = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "bos_token": "<s>"}
# The 0.02 of large models is too small for a narrow one: about 1 / sqrt(width) lets it learn from the first step.
_INIT_SD = 0.08


def char_tokenizer() -> "PreTrainedTokenizerFast":
    """One token a character."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocab = {token: i for i, token in enumerate([*_SPECIAL.values(), *_CHARACTERS])}
    core = Tokenizer(models.WordLevel(vocab, unk_token=_SPECIAL["unk_token"]))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    core.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=core, **_SPECIAL)


def small_decoder(tokenizer: "PreTrainedTokenizerFast", width: int, layers: int, seed: int) -> "LlamaForCausalLM":
    """A Llama of random weights, in float32; equal seeds give equal weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=32,
        initializer_range=_INIT_SD,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(seed)
    return LlamaForCausalLM(config)
