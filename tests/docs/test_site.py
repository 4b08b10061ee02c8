"""The site of the documentation: builds without a warning, loads nothing from other hosts, agrees with the code."""

import re
import subprocess
import sys
from dataclasses import fields
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml

from ntl_hf import NTLConfig

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def nav_pages() -> list[str]:
    def pages(entry: Any) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        inside = entry.values() if isinstance(entry, dict) else entry
        return [page for each in inside for page in pages(each)]

    return pages(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("material", reason="mkdocs-material is not installed")
    pytest.importorskip("mkdocstrings_handlers.python", reason="mkdocstrings is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Page(HTMLParser):
    """What a page loads, where it links to, and the ids in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value for name, value in attributes if value}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and found.get("rel") in ("stylesheet", "icon", "preconnect", "preload"):
            self.loads.append(found["href"])
        elif "src" in found:
            self.loads.append(found["src"])


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def test_every_page_of_the_navigation_exists_and_is_in_it_once() -> None:
    listed = nav_pages()
    assert sorted(listed) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


@pytest.mark.slow
def test_every_page_is_built(site: Path) -> None:
    for page in nav_pages():
        assert (site / page).with_suffix(".html").is_file()


@pytest.mark.slow
def test_nothing_is_loaded_from_other_hosts(site: Path, pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        if path.name == "404.html":
            continue  # its links start at the root of the host
        for address in page.loads:
            assert not urlsplit(address).netloc and not urlsplit(address).scheme, f"{path}: {address}"
            assert (path.parent / unquote(urlsplit(address).path)).is_file(), f"{path}: {address}"
    for style in site.rglob("*.css"):
        assert "url(http" not in style.read_text(encoding="utf-8").replace("'", "").replace('"', "")


@pytest.mark.slow
def test_every_link_and_anchor_leads_somewhere(pages: dict[Path, Page]) -> None:
    """Those of the API pages too, which mkdocs does not see."""
    broken = []
    for path, page in pages.items():
        for link in page.links if path.name != "404.html" else ():
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages[target].ids if target in pages else set()
            if not target.exists() or (parts.fragment and target in pages and unquote(parts.fragment) not in known):
                broken.append(f"{path.name}: {link}")
    # The theme's own link to the top of a page, whose target it makes when it is needed.
    assert [link for link in broken if not link.endswith(": #__skip")] == []


@pytest.mark.slow
def test_every_public_name_has_an_entry_in_the_api(pages: dict[Path, Page]) -> None:
    import ntl_hf

    # Under the package's name, or under that of the module that it is from.
    ids = {name for page in pages.values() for name in page.ids if name.startswith("ntl_hf.")}
    documented = {name.rpartition(".")[2] for name in ids}
    assert [name for name in ntl_hf.__all__ if name not in documented] == []


def test_the_table_of_settings_has_every_setting_and_its_default() -> None:
    text = (DOCS / "trainers.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text.partition("## Settings")[2], flags=re.M))
    for setting in fields(NTLConfig):
        default: Any = setting.default
        if isinstance(default, float):
            expected = f"{default:g}"
        else:
            expected = f"`{default}`" if isinstance(default, str) else str(default).lower()
        assert rows.get(setting.name) == expected, setting.name


def test_the_measured_rows_of_the_readme_are_those_of_the_pages() -> None:
    """They stand in both: whoever measures again changes both."""

    def rows(*texts: str) -> set[str]:
        text = "\n".join(texts)
        return {line for line in text.splitlines() if line.startswith("|") and re.search(r"\| [-+]?[0-9]", line)}

    pages = rows(*((DOCS / name).read_text(encoding="utf-8") for name in ("get-started.md", "benchmarks.md")))
    # The table after these is a summary of a longer one in experiments.md.
    readme = rows((ROOT / "README.md").read_text(encoding="utf-8").partition("**GSM8K")[0])
    assert readme and readme <= pages, readme - pages
