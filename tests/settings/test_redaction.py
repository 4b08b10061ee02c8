"""What is written down holds no secret: by the name of a setting, by the looks of a text."""

import copy
import json
import pickle

import pytest

from ntl_hf import NTLSFTConfig, NTLTrainingArguments
from ntl_hf.runs import evaluate, sft, train
from ntl_hf.settings.arguments import NTLSeq2SeqTrainingArguments
from ntl_hf.settings.redaction import (
    Secret,
    is_secret,
    keep_out_of_files,
    redacted,
    redacted_text,
)

SECRET = "s3cr3t-v4lue"
# Names with "token" or "key" in them that are no secrets; all others of the argument classes are looked at below.
HARMLESS = (
    *("eos_token", "pad_token", "image_token", "decoder_start_token", "max_new_tokens", "add_digit_tokens"),
    *("tokenizer", "tokenizer_name_or_path", "keys", "remove_unused_columns", "num_key_value_heads", "label_key"),
    *("primary_key", "metric_key_prefix", "forward_pass", "author", "passes", "string", "authors", "loss_per_token"),
)


SECRETS = (
    *("token", "hub_token", "HF_TOKEN", "hfToken", "use_auth_token", "api_key", "apiKey", "WANDB_API_KEY", "key"),
    *(
        "openai_key",
        "wandb_key",
        "WANDB_KEY",
        "deployKey",
        "license_key",
        "db_pass",
        "DB_PWD",
        "github_pat",
        "api_keys",
    ),
    *(
        "connection_string",
        "AZURE_CONNECTION_STRING",
        "connectionString",
        "dsn",
        "sentry_dsn",
        "jwt",
        "sas",
        "blob_sas",
    ),
    *("password", "PGPASSWORD", "db_password", "AWS_SECRET_ACCESS_KEY", "secret", "client_secret", "env"),
)


@pytest.mark.parametrize("name", SECRETS)
def test_names_of_secrets(name):
    assert is_secret(name)
    assert redacted({"kept": 1, name: SECRET}) == {"kept": 1} == redacted({"kept": 1, name: {"X": SECRET}})


@pytest.mark.parametrize("name", HARMLESS)
def test_names_that_are_none(name):
    assert redacted({name: "value"}) == {name: "value"}


def test_of_all_settings_of_the_commands_two_are_secrets():
    from ntl_hf.compare.arguments import known_keys

    names = {name for script in (sft, train, evaluate) for name in known_keys(script.ARGUMENT_CLASSES)}
    assert {name for name in names if is_secret(name)} <= {"hub_token", "push_to_hub_token"}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"https://me:{SECRET}@host/x.csv", "https://host/x.csv"),
        (f"https://{SECRET}@host/x", "https://host/x"),
        (f"postgres://me:{SECRET}@host/d", "postgres://host/d"),
        (f"https://host/x?token={SECRET}&y=1", "https://host/x?token=<redacted>&y=1"),
        (f"https://host/x?X-Amz-Signature={SECRET}", "https://host/x?X-Amz-Signature=<redacted>"),
        (f"pretrained=x,api_key={SECRET},batch=2", "pretrained=x,api_key=<redacted>,batch=2"),
        (f'{{"token": "{SECRET}", "a": 1}}', '{"a": 1}'),
        ("with hf_abcDEF0123456789 in it", "with <redacted> in it"),
        ("ghp_abcdefghij0123456789", "<redacted>"),
        ("sk-abcdefghij0123456789", "<redacted>"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer <redacted>"),
        ("Authorization: Basic abcdef==", "Authorization: Basic <redacted>"),
        ("AIzaSyA-0123456789abcdefghijklmnopqrstu", "<redacted>"),
        ("npm_abcdefghij0123456789ABCDEFGHIJ012345", "<redacted>"),
        ("r8_abcdefghij0123456789ABCDEFGHIJ0123456", "<redacted>"),
        ("gsk_abcdefghij0123456789ABCDEFGHIJ", "<redacted>"),
        ("with ya29.a0AfH6SMB-x_y, too", "with <redacted>, too"),
        ("token: plainsecret", "token: <redacted>"),
        ("failed (hub_token: plainsecret, retry)", "failed (hub_token: <redacted>, retry)"),
        ("token = plainsecret", "token = <redacted>"),
        ("{'token': 'plain secret', 'a': 1}", "{'token': <redacted>, 'a': 1}"),
        ('no JSON: "password": "plain secret"', 'no JSON: "password": <redacted>'),
        ("sft --hub_token plainsecret --seed 1", "sft --hub_token <redacted> --seed 1"),
        ("sft --api-key 'plain secret' --seed 1", "sft --api-key <redacted> --seed 1"),
        ("url=https://host/x?token=plainsecret&y=1", "url=https://host/x?token=<redacted>&y=1"),
    ],
)
def test_texts_that_hold_one(text, kept):
    assert redacted_text(text) == kept
    assert redacted({"a": [{"b": text}]}) == {"a": [{"b": kept}]}


@pytest.mark.parametrize(
    "text",
    [
        *("hf_transformers", "git+ssh://git@host/x", "hf://datasets/a/b@main", "{q} = ", '{"a":1}', "[1,2]"),
        *("eos_token: </s>", "--pad_token <pad> --max_new_tokens 5", "max_new_tokens=5", "tokenizer: gpt2"),
        *(
            "unknown key: 'x'",
            "KeyError: 'logits'",
            "token: None",
            "--token --seed 1",
            "the token that ends",
            "a token",
        ),
        *(
            "npm_config",
            "r8_small",
            "Question: what?\nAnswer:",
            "{'eos_token': '</s>'}",
            "remove_unused_columns=false",
        ),
    ],
)
def test_texts_that_hold_none(text):
    assert redacted_text(text) == text


def test_words_of_a_command():
    words = ["sft", "--hub_token", SECRET, "--pad_token", "<pad>", "--token", "--seed", "1"]
    assert redacted({"argv": words}) == {"argv": [*words[:2], "<redacted>", *words[3:]]}


def test_columns_are_not_settings():
    columns = {"key": "prompt", "token": "completion", "x": {"token": SECRET}}
    assert redacted({"columns": columns}) == {"columns": {"key": "prompt", "token": "completion"} | {"x": {}}}


def test_the_end_of_a_long_text_is_read():
    text = "a=" * 20_000 + "b" * 100_000 + " token=x"
    assert redacted_text(text) == text[:-1] + "<redacted>"


def test_the_rest_is_as_it_was():
    settings = {"a": [1, 2.5, None, True], "b": {}, "c": {"token": True}, "token": None, "d": {"x": {"token": SECRET}}}
    assert redacted(settings) == {"a": [1, 2.5, None, True], "b": {}, "c": {"token": True}, "token": None}
    assert settings["d"] == {"x": {"token": SECRET}}


def test_a_secret_is_a_text_that_is_not_pickled():
    secret = Secret(SECRET)
    assert secret == SECRET == copy.copy(secret) == copy.deepcopy(secret) and isinstance(copy.copy(secret), Secret)
    assert pickle.loads(pickle.dumps({"a": secret})) == {"a": None}


@pytest.mark.parametrize("arguments_class", [NTLTrainingArguments, NTLSeq2SeqTrainingArguments, NTLSFTConfig])
def test_arguments_that_are_saved_or_logged(arguments_class, tmp_path):
    nested = {"model_init_kwargs": {"token": SECRET, "x": 1}} if arguments_class is NTLSFTConfig else {}
    args = arguments_class(str(tmp_path), use_cpu=True, hub_token=SECRET, **nested)
    assert SECRET not in json.dumps(args.to_dict(), default=str) and SECRET not in args.to_json_string()
    keep_out_of_files(args)
    assert args.hub_token == SECRET
    assert SECRET.encode() not in pickle.dumps(args)
    assert pickle.loads(pickle.dumps(args)).hub_token is None
    if nested:
        assert args.model_init_kwargs == {"token": SECRET, "x": 1}
        assert pickle.loads(pickle.dumps(args)).model_init_kwargs == {"token": None, "x": 1}
