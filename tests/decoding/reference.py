"""Models that answer in digits, and the probability of an answer, one by one: no cache, no padding, full logits."""

import torch

from tests.tiny import char_tokenizer, tiny_model

# Of the first two characters, which every tokenizer here has.
PROMPTS = [[4, 5], [5, 5, 4, 4, 5, 4, 5], [5], [4, 4, 5, 4], [4, 5, 4]]
END = 1


def digit_case(kind, characters="0123456789", ends=0.0, dtype=torch.float64):
    """A random model and a tokenizer of these characters alone; special tokens but the end are never written.

    Args:
        ends: added to the logit of the end: with more, answers are shorter.
    """
    tokenizer = char_tokenizer(characters)
    model = tiny_model(kind, vocab_size=len(tokenizer)).eval().to(dtype)
    bias = torch.zeros(len(tokenizer), dtype=dtype)
    bias[[0, 2, 3]], bias[END] = -1e4, ends
    model.get_output_embeddings().register_forward_hook(lambda module, inputs, output: output + bias)
    return model, tokenizer


@torch.no_grad()
def log_prob(model, prompt, ids, ends=(END,)):
    """log p(ids, then an end | prompt), as a float."""
    prompt, answer = torch.tensor([prompt]), torch.tensor([ids], dtype=torch.long)
    if model.config.is_encoder_decoder:
        start = torch.full((1, 1), model.config.decoder_start_token_id)
        logits = model(input_ids=prompt, decoder_input_ids=torch.cat([start, answer], 1), use_cache=False).logits[0]
    else:
        logits = model(input_ids=torch.cat([prompt, answer], 1), use_cache=False).logits[0, prompt.shape[1] - 1 :]
    log_probs = logits.double().log_softmax(-1)
    assert len(log_probs) == len(ids) + 1
    written = sum(float(log_probs[i, token]) for i, token in enumerate(ids))
    return written + float(log_probs[-1, list(ends)].logsumexp(-1))
