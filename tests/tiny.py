"""Small random models, a character tokenizer and data for the tests."""

import copy
from typing import Any

import torch
import transformers
from datasets import Dataset
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

CHARACTERS = "0123456789 abcdefghijklmnopqrstuvwxyz+-*/=().,?#"
SPECIAL = ["<pad>", "</s>", "<unk>", "<s>"]


def char_tokenizer(characters: str = CHARACTERS, **kwargs: Any) -> PreTrainedTokenizerFast:
    """One token a character; ids start after the special tokens."""
    vocab = {token: i for i, token in enumerate([*SPECIAL, *characters])}
    core = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    core.decoder = decoders.Fuse()
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "bos_token": "<s>"}
    return PreTrainedTokenizerFast(tokenizer_object=core, **{**special, **kwargs})


_COMMON = {"vocab_size": 64, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 3}
_DECODER = {
    **_COMMON,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
}
_MAMBA_HEADS = {"mamba_d_ssm": 32, "mamba_n_heads": 4, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8}

# name -> (config class, model class, settings). The multipliers are far from 1, so that missing one shows.
ARCHITECTURES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "llama": ("LlamaConfig", "LlamaForCausalLM", {**_DECODER, "tie_word_embeddings": False}),
    "llama-tied": ("LlamaConfig", "LlamaForCausalLM", {**_DECODER, "tie_word_embeddings": True}),
    "qwen": ("Qwen2Config", "Qwen2ForCausalLM", {**_DECODER, "vocab_size": 80}),
    "granite": ("GraniteConfig", "GraniteForCausalLM", {**_DECODER, "logits_scaling": 0.125}),
    "gemma": (
        "Gemma2Config",
        "Gemma2ForCausalLM",
        {**_DECODER, "head_dim": 16, "final_logit_softcapping": 0.5, "sliding_window": 64},
    ),
    "cohere": ("CohereConfig", "CohereForCausalLM", {**_DECODER, "logit_scale": 4.0}),
    "falcon-h1": (
        "FalconH1Config",
        "FalconH1ForCausalLM",
        {**_DECODER, **_MAMBA_HEADS, "lm_head_multiplier": 3.0},
    ),
    "gpt2": (
        "GPT2Config",
        "GPT2LMHeadModel",
        {
            **_COMMON,
            "n_embd": 32,
            "n_layer": 2,
            "n_head": 2,
            "n_positions": 256,
            "resid_pdrop": 0.0,
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
        },
    ),
    "mamba": (
        "MambaConfig",
        "MambaForCausalLM",
        {**_COMMON, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 4},
    ),
    "mixtral": (
        "MixtralConfig",
        "MixtralForCausalLM",
        {
            **_DECODER,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "output_router_logits": True,
            "router_aux_loss_coef": 0.5,
        },
    ),
    "t5": (
        "T5Config",
        "T5ForConditionalGeneration",
        {
            **_COMMON,
            "d_model": 32,
            "d_ff": 48,
            "d_kv": 16,
            "num_layers": 2,
            "num_heads": 2,
            "dropout_rate": 0.0,
            "decoder_start_token_id": 0,
            "tie_word_embeddings": True,
        },
    ),
    "bart": (
        "BartConfig",
        "BartForConditionalGeneration",
        {
            **_COMMON,
            "d_model": 32,
            "encoder_layers": 1,
            "decoder_layers": 1,
            "encoder_attention_heads": 2,
            "decoder_attention_heads": 2,
            "encoder_ffn_dim": 48,
            "decoder_ffn_dim": 48,
            "dropout": 0.0,
            "max_position_embeddings": 128,
            "decoder_start_token_id": 1,
            "forced_eos_token_id": 1,
        },
    ),
}


def tiny_model(name: str = "llama", seed: int = 0, **overrides: Any) -> Any:
    """A random model of one architecture, in float32, with weights large enough for peaked distributions."""
    config_class, model_class, settings = ARCHITECTURES[name]
    torch.manual_seed(seed)
    config = getattr(transformers, config_class)(**{**settings, **overrides})
    model = getattr(transformers, model_class)(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.normal_(0, 0.25)
    # Several processes and accumulation are compared to 1e-6: no dropout.
    return model.train()


def twin(model: Any) -> Any:
    """A copy with the same weights."""
    return copy.deepcopy(model)


def sums(n: int = 32, seed: int = 0, text_rows: int = 0) -> list[dict[str, str]]:
    """Prompt and completion of ragged lengths; the first `text_rows` rows have no number in the completion."""
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for i in range(n):
        a, b = torch.randint(0, 10 ** int(torch.randint(1, 4, (), generator=generator)), (2,), generator=generator)
        rows.append({"prompt": f"{int(a)}+{int(b)}=", "completion": str(int(a + b))})
        if i < text_rows:
            rows[-1]["completion"] = "no idea"
    return rows


def prompt_completion(n: int = 32, **kwargs: Any) -> Dataset:
    return Dataset.from_list(sums(n, **kwargs))


def tokenized(tokenizer: Any, n: int = 32, **kwargs: Any) -> Dataset:
    """`input_ids` and `labels` (prompt masked) for a decoder."""
    rows = []
    for row in sums(n, **kwargs):
        prompt = tokenizer(row["prompt"])["input_ids"]
        answer = [*tokenizer(row["completion"])["input_ids"], tokenizer.eos_token_id]
        rows.append({"input_ids": prompt + answer, "labels": [-100] * len(prompt) + answer})
    return Dataset.from_list(rows)


def tokenized_pairs(tokenizer: Any, n: int = 32, **kwargs: Any) -> Dataset:
    """`input_ids` and `labels` for an encoder-decoder."""
    return Dataset.from_list(
        [
            {
                "input_ids": tokenizer(row["prompt"])["input_ids"],
                "labels": [*tokenizer(row["completion"])["input_ids"], tokenizer.eos_token_id],
            }
            for row in sums(n, **kwargs)
        ]
    )
