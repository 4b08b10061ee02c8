"""Answer GSM8K test questions greedily with a model or an adapter, and count the right final answers.

    python examples/generate_gsm8k.py --model MODEL [--adapter FOLDER] [--data FOLDER] [--questions 100] [--out FILE]

Without --data the questions come from the hub. The answers are written as JSON lines to --out.
"""

import argparse
import json
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import torch
from peft import PeftModel
from tqdm import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer

from ntl_hf.data import extract_answer, load_gsm8k


def main(args: argparse.Namespace) -> None:
    tokenizer = AutoTokenizer.from_pretrained(args.adapter or args.model, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.bfloat16)
    if args.adapter:
        model = PeftModel.from_pretrained(model, args.adapter).merge_and_unload()
    model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    rows = load_gsm8k(args.data, "test").select(range(args.questions))
    texts: list[str] = []
    for start in tqdm(range(0, len(rows), args.batch_size)):
        batch = tokenizer(rows[start : start + args.batch_size]["prompt"], return_tensors="pt", padding=True)
        with torch.no_grad():
            ids = model.generate(**batch.to(model.device), max_new_tokens=args.max_new_tokens, do_sample=False)
        texts += tokenizer.batch_decode(ids[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    results = [
        {"true": extract_answer(row["completion"]), "predicted": extract_answer(text), "text": text}
        for row, text in zip(rows, texts, strict=True)
    ]
    if args.out:
        Path(args.out).write_text("".join(json.dumps(result) + "\n" for result in results))
    print(summary(results))


def summary(results: list[dict[str, Any]]) -> str:
    """Right answers over all questions; the error of those that have a number, and how many have none."""
    read = [r for r in results if r["predicted"] is not None]
    errors = [abs(Decimal(r["predicted"]) - Decimal(r["true"])) for r in read]
    right = sum(error == 0 for error in errors)
    middle = f"{median(errors):.1f}" if errors else "-"
    return (
        f"exact {right}/{len(results)} = {100 * right / len(results):.1f} %, median absolute error {middle}, "
        f"without a readable answer {len(results) - len(read)}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--adapter")
    parser.add_argument("--data", help="folder with test.jsonl")
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--batch_size", type=int, default=25)
    parser.add_argument("--max_new_tokens", type=int, default=200)
    parser.add_argument("--out")
    main(parser.parse_args())
