"""Numbers in a file reach the tokens as they are, through all that TRL does to the rows."""

import string

from ntl_hf import NTLSFTConfig, NTLSFTTrainer
from ntl_hf.data import load_named
from tests.build import make_args
from tests.tiny import char_tokenizer, tiny_model

ARGUMENTS = ['{"x": 1}', '{"x": 2.5}', '{"x": 1.59}', '{"y": 0.1234567890123456}', '{"y": 99999999999999999999}']
TEMPLATE = (
    "{% for turn in messages %}{{ turn.content }}"
    "{% for call in turn.tool_calls or [] %}{{ call.function.arguments | tojson }}{% endfor %}{% endfor %}{{ k }}"
)


def row(arguments, k):
    call = f'{{"type": "function", "function": {{"name": "f", "arguments": {arguments}}}}}'
    turns = f'{{"role": "user", "content": 1.50}}, {{"role": "assistant", "content": "7", "tool_calls": [{call}]}}'
    return f'{{"messages": [{turns}], "chat_template_kwargs": {{"k": {k}}}}}'


def test_numbers_of_tool_calls_and_template_settings(tmp_path):
    settings = ["1", "2.5", "1.59", "3", "4"]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(row, ARGUMENTS, settings)))
    tokenizer = char_tokenizer(string.printable)
    tokenizer.chat_template = TEMPLATE
    trainer = NTLSFTTrainer(
        tiny_model(vocab_size=len(tokenizer)),
        make_args(NTLSFTConfig, tmp_path / "out"),
        train_dataset=load_named(str(tmp_path / "rows.jsonl"), None, "train"),
        processing_class=tokenizer,
    )
    texts = tokenizer.batch_decode([row["input_ids"] for row in trainer.train_dataset])
    assert texts == [f"1.507{arguments}{k}" for arguments, k in zip(ARGUMENTS, settings, strict=True)]
