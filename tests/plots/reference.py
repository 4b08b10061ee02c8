"""The numbers of the pictures from full logits, digit by digit in plain Python."""

from typing import Any

import torch


def digits_of_rows(model: Any, batch: dict[str, torch.Tensor], first_id: int) -> list[dict[str, Any]]:
    """Every digit label of a batch: its true value, its position in its number, and the distribution over digits.

    Args:
        model: a decoder or an encoder-decoder with a token a digit, `first_id` that of 0.
        batch: what a data collator returns, with `labels`.
        first_id: token id of 0; the other digits follow.
    """
    is_aligned = model.config.is_encoder_decoder
    with torch.no_grad():
        logits = model.eval()(**batch).logits.double()
    found = []
    for row, labels in zip(logits, batch["labels"].tolist(), strict=True):
        position = 0
        for t, label in enumerate(labels):
            if not first_id <= label < first_id + 10:
                position = 0
                continue
            source = t if is_aligned else t - 1
            probs = row[source, first_id : first_id + 10].softmax(-1)
            found.append({"true": label - first_id, "position": position, "probs": probs.tolist()})
            position += 1
    return found


def mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def beliefs_of(digits: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """What `DigitBeliefs` holds, None where there is no digit."""
    for digit in digits:
        digit["expected"] = sum(value * p for value, p in enumerate(digit["probs"]))
        digit["bin"] = int(digit["expected"] + 0.5)
    by_true = [[d for d in digits if d["true"] == true] for true in range(10)]
    bins = [[d for d in digits if d["bin"] == number] for number in range(10)]
    places = [[d for d in digits if min(d["position"], 7) == place] for place in range(8)]
    return {
        "distribution": [[mean([d["probs"][i] for d in group]) for i in range(10)] for group in by_true],
        "count": [len(group) for group in by_true],
        "bin_count": [len(group) for group in bins],
        "bin_expected": [mean([d["expected"] for d in group]) for group in bins],
        "bin_true": [mean([d["true"] for d in group]) for group in bins],
        "position_count": [len(group) for group in places],
        "position_error": [mean([abs(d["expected"] - d["true"]) for d in group]) for group in places],
    }
