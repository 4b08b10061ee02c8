"""The files beside the code that a release needs: they agree with each other, and with the version."""

import re
from datetime import date
from typing import Any

import pytest
import yaml

from ntl_hf import __version__
from tests.docs.project import make_targets, pyproject

from .artefacts import ROOT
from .extras import EXTRAS

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
ENTRY = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\S+))?$", re.MULTILINE)
# Of cff 1.2.0: what must be there, and the groups that entries of "Keep a Changelog" are in.
REQUIRED = ("cff-version", "message", "title", "authors")
GROUPS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def load(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_version_has_one_source() -> None:
    project = pyproject()
    assert project["project"]["dynamic"] == ["version"] and "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "ntl_hf/__init__.py"
    assert load("CITATION.cff")["version"] == __version__


def test_the_changelog_begins_with_this_version() -> None:
    entries = [entry for entry in ENTRY.finditer(CHANGELOG) if entry["version"] != "Unreleased"]
    assert entries[0]["version"] == __version__
    days = [date.fromisoformat(entry["date"]) for entry in entries]
    assert days == sorted(days, reverse=True)
    assert set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE)) <= GROUPS


def test_the_citation_has_what_its_format_asks_for() -> None:
    citation = load("CITATION.cff")
    assert all(citation[key] for key in REQUIRED) and citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software" and citation["license"] == pyproject()["project"]["license"]
    paper = citation["preferred-citation"]
    assert paper["type"] == "conference-paper" and paper["conference"]["name"]
    assert isinstance(paper["year"], int) and paper["start"] < paper["end"]
    people = [(person["family-names"], person["given-names"]) for person in paper["authors"]]
    assert people[0] == ("Zausinger", "Jonas") and len(set(people)) == len(people) == 16


def steps(workflow: str) -> list[dict[str, Any]]:
    jobs = load(f".github/workflows/{workflow}")["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def test_the_workflow_does_what_a_checkout_does() -> None:
    commands = [step["run"] for step in steps("ci.yml") if "run" in step]
    assert commands == ["bash .ci/run"]
    # YAML 1.1 reads the key `on` as true.
    assert {"push", "pull_request"} <= set(load(".github/workflows/ci.yml")[True])  # type: ignore[index]


def test_a_release_is_checked_before_it_is_published() -> None:
    workflow = load(".github/workflows/release.yml")
    assert workflow["jobs"]["publish"]["needs"] == "build"
    targets = [word for step in steps("release.yml") for word in re.findall(r"make ([\w-]+)", step.get("run", ""))]
    assert targets == ["release-check"] and set(targets) <= make_targets()


@pytest.mark.parametrize("workflow", ["ci.yml", "release.yml"])
def test_every_action_names_its_version(workflow: str) -> None:
    assert all("@" in step["uses"] for step in steps(workflow) if "uses" in step)


def test_every_extra_is_tried_alone() -> None:
    """`dev` is this environment."""
    assert set(EXTRAS) == set(pyproject()["project"]["optional-dependencies"]) - {"dev"}
