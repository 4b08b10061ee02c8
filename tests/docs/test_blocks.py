"""Every fenced block of README.md and docs/ is run, or read by what it is for; a kind without a rule fails."""

import json
import multiprocessing.util
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.tiers import by_tier

from .blocks import Block, blocks_of, pages, parse
from .commands import PROGRAMS, run_command
from .python_blocks import names_missing, names_taken, run_block
from .settings import check_yaml
from .shell import commands_of, typed
from .stand_ins import GPT2, given, patch_libraries, write_gpt2, write_hub, write_workspace

# What a page may use without making it: the architecture of `model`, and the names.
GIVEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "README.md": ("llama", ("logits", "labels", "tokenizer")),
    "docs/evaluation.md": ("llama", ("model", "tokenizer")),
    "docs/tokenizers.md": ("t5", ("model",)),
}
LANGUAGES = ("python", "bash", "console", "yaml", "json", "bibtex", "text", "markdown")
every_page = pytest.mark.parametrize("page", pages())


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    write_hub(folder / "hub")
    write_workspace(folder / "workspace")
    return folder


@pytest.fixture
def workspace(templates: Path, page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a page: what a user has there, with a hub of its own."""
    shutil.copytree(templates / "hub", tmp_path / "hub")
    if any(GPT2 in block.text for block in blocks_of(page)):
        write_gpt2(tmp_path / "hub")
    shutil.copytree(templates / "workspace", tmp_path / "workspace")
    # Kept for the life of the process, and the paths of sockets in it must be short.
    multiprocessing.util.get_temp_dir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path / "workspace")
    patch_libraries(monkeypatch, tmp_path / "hub")
    return tmp_path


@every_page
def test_every_block_says_what_it_is(page: str) -> None:
    for block in blocks_of(page):
        assert block.language in LANGUAGES, f"{block.id}: '{block.language}' is none of {', '.join(LANGUAGES)}"


@every_page
def test_what_is_not_code_is_well_formed(page: str) -> None:
    for block in blocks_of(page):
        if block.language == "text":
            disguised = [line for line in block.text.splitlines() if _is_code(line)]
            assert not disguised, f"{block.id} is text, but this is code: {disguised[0]}"
        elif block.language == "json":
            json.loads(block.text)
        elif block.language == "bibtex":
            _check_bibtex(block)


WITH_BLOCKS = [page for page in pages() if blocks_of(page)]


@pytest.mark.parametrize("page", by_tier(WITH_BLOCKS, set(WITH_BLOCKS) - {"README.md"}))
def test_blocks_run(page: str, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, names = GIVEN.get(page, ("llama", ()))
    makers = given(kind)
    namespace = {"__name__": "__main__", **{name: makers[name]() for name in names}}
    for block in blocks_of(page):
        if block.language == "python":
            run_block(block, namespace)
        elif block.language in ("bash", "console"):
            text = typed(block.text) if block.language == "console" else block.text
            for words in commands_of(text, workspace / "shell", PROGRAMS):
                with monkeypatch.context() as patch:
                    print(f"{block.id}: {' '.join(words)}")
                    run_command(words, patch)
        elif block.language == "yaml":
            check_yaml(block)


# What the reader has already, or made further up on the page.
OF_THE_READER = {"model", "tokenizer", "dataset", "trainer", "logits", "labels"}


@every_page
def test_a_block_imports_what_it_uses(page: str) -> None:
    given_here = set(GIVEN["README.md"][1]) if page == "README.md" else OF_THE_READER
    for block in blocks_of(page):
        if block.language == "python":
            missing = names_missing(block.text) - given_here
            assert not missing, f"{block.id} does not run alone: {sorted(missing)}"


@pytest.mark.parametrize("page", GIVEN)
def test_what_is_given_is_used(page: str) -> None:
    used = names_taken([block.text for block in blocks_of(page) if block.language == "python"])
    assert set(GIVEN[page][1]) <= used


def _is_code(line: str) -> bool:
    program = "|".join(map(re.escape, PROGRAMS))
    return bool(re.match(rf"\s*(\$ |>>> |({program}) [\w.-]|from [\w.]+ import |import \w)", line))


def _check_bibtex(block: Block) -> None:
    citation = yaml.safe_load((Path(__file__).parents[2] / "CITATION.cff").read_text(encoding="utf-8"))
    paper = citation["preferred-citation"]
    assert block.text.count("{") == block.text.count("}")
    fields = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", block.text, re.MULTILINE))
    assert (fields["title"], fields["year"], fields["url"]) == (paper["title"], str(paper["year"]), paper["url"])


# ---- The harness itself: what it must not let through ----


def test_blocks_are_found_wherever_they_stand() -> None:
    text = '1. list\n\n    ```python title="x"\n    a = 1\n    ```\n\n````text\n```\n````\n'
    assert list(parse(text, "p")) == [Block("p", 4, "python", "a = 1\n"), Block("p", 8, "text", "```\n")]
    with pytest.raises(ValueError, match="p:1: this block is never closed"):
        list(parse("```python\na = 1\n", "p"))


def test_an_untrue_value_fails_with_its_line() -> None:
    run_block(Block("p.md", 8, "python", "1 + 1  # 2\n2 + 2  # as it should be\n"), {})
    with pytest.raises(AssertionError, match=r"p\.md:9: 3"):
        run_block(Block("p.md", 8, "python", "x = 3\nx  # 2\n"), {})


def test_words_are_those_of_bash(tmp_path: Path) -> None:
    block = 'ONLY=(CE "WAS 0.3")\nntl-hf compare --only "${ONLY[@]}" \\\n  --jobs 2   # why\nA=1 make x\n'
    words = [["ntl-hf", "compare", "--only", "CE", "WAS 0.3", "--jobs", "2"], ["make", "x"]]
    assert commands_of(block, tmp_path, PROGRAMS) == words
    for unknown in ("rm -r x\n", "ntl-hf sft <FOLDER>\n"):
        with pytest.raises(AssertionError, match="bash does not read this block"):
            commands_of(unknown, tmp_path, PROGRAMS)


@pytest.mark.parametrize(
    "line",
    [
        "make no-such-target",
        "pip install ntl-hf[no-such-extra]",
        "python -m no_such_module",
        "ntl-hf no-such-command",
        "ntl-hf inspect no/such-model",
        "ntl-hf plot",
        "python -m benchmarks.loss --no-such-option",
    ],
)
def test_a_wrong_command_fails(line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((AssertionError, SystemExit)):
        run_command(line.split(), monkeypatch)


def test_text_that_is_code_is_seen() -> None:
    assert all(map(_is_code, ("ntl-hf sft --config x", "$ ls", "from x import y", ">>> 1", "pip install x")))
    assert not any(map(_is_code, ("ntl-hf: error: no", "loss = CE + 0.3 NTL", "make it so", "python")[:2]))
