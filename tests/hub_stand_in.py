"""A stand-in for the hub: the calls of its client that transformers, TRL and peft push with, into a local folder."""

import math
import re
import shutil
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ModelCard, RepoUrl
from huggingface_hub.utils import filter_repo_objects, validate_repo_id

USER = "somebody"


@dataclass(frozen=True)
class Commit:
    """One upload: into which repository, with which message, and which files, by their paths there."""

    repo_id: str
    message: str
    files: frozenset[str]


class HubStandIn:
    """Takes what is pushed, and refuses what the hub refuses.

    Attributes:
        commits: in the order in which they came.
        error: if set, every upload fails with it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.created: list[str] = []
        self.commits: list[Commit] = []
        self.error: Exception | None = None

    def repo(self, repo_id: str) -> Path:
        """The local folder with what was pushed to a repository."""
        return self._folder / repo_id

    def create_repo(self, repo_id: str, **kwargs: Any) -> RepoUrl:
        """As `HfApi.create_repo`."""
        validate_repo_id(repo_id)
        name = repo_id if "/" in repo_id else f"{USER}/{repo_id}"
        assert kwargs.get("exist_ok") or name not in self.created
        self.created.append(name)
        return RepoUrl(f"https://huggingface.co/{name}")

    def upload_folder(self, *, run_as_future: bool = False, **kwargs: Any) -> Any:
        """As `HfApi.upload_folder`; with `run_as_future` its error is the future's."""
        if not run_as_future:
            self._upload(**kwargs)
            return None
        job: Future = Future()
        try:
            self._upload(**kwargs)
            job.set_result(None)
        except Exception as error:
            job.set_exception(error)
        return job

    def create_commit(self, repo_id: str, operations: Any, *, commit_message: str, **kwargs: Any) -> None:
        """As `HfApi.create_commit`, for files that are added."""
        files = {each.path_in_repo: Path(each.path_or_fileobj) for each in operations}
        self._commit(repo_id, files, commit_message)

    def _upload(
        self,
        *,
        repo_id: str,
        folder_path: str,
        commit_message: str,
        path_in_repo: str = "",
        ignore_patterns: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        folder = Path(folder_path)
        names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
        kept = filter_repo_objects(names, ignore_patterns=ignore_patterns)
        self._commit(repo_id, {str(Path(path_in_repo, name)): folder / name for name in kept}, commit_message)

    def _commit(self, repo_id: str, files: dict[str, Path], message: str) -> None:
        assert repo_id in self.created, f"{repo_id} was pushed to before it was created"
        if self.error is not None:
            raise self.error
        if "README.md" in files:
            check_card(files["README.md"])
        for name, path in files.items():
            target = self.repo(repo_id) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        self.commits.append(Commit(repo_id, message, frozenset(files)))


def stand_in_for_hub(monkeypatch: Any, folder: Path) -> HubStandIn:
    """Put a stand-in in the place of the hub for one test."""
    hub = HubStandIn(folder)
    for name in ("create_repo", "upload_folder", "create_commit"):
        stand_in = getattr(hub, name)
        monkeypatch.setattr(HfApi, name, lambda api, *args, _call=stand_in, **kwargs: _call(*args, **kwargs))
    return hub


def check_card(path: Path) -> ModelCard:
    """Check a card by the rules of the hub, which look at its metadata when it is uploaded; returns it."""
    card = ModelCard.load(path)
    data = card.data.to_dict()
    for name in ("tags", "datasets", "metrics"):
        values = data.get(name, [])
        assert isinstance(values, list) and all(isinstance(value, str) and value for value in values), (name, values)
        assert len(set(values)) == len(values), (name, values)
    for name in ("library_name", "pipeline_tag", "license"):
        assert isinstance(data.get(name, ""), str), name
    bases = data.get("base_model", [])
    for repo_id in [*([bases] if isinstance(bases, str) else bases), *data.get("datasets", [])]:
        validate_repo_id(repo_id)
    for tag in data["tags"]:
        assert re.fullmatch(r"[\w.:/ -]+", tag) and "://" not in tag and ":/" not in tag, tag
    for entry in data.get("model-index", []):
        assert isinstance(entry["name"], str) and entry["name"]
        for result in entry["results"]:
            assert result["task"]["type"] and result["dataset"]["type"] and result["dataset"]["name"]
            assert result["metrics"]
            for metric in result["metrics"]:
                assert metric["type"] and isinstance(metric["value"], float) and math.isfinite(metric["value"])
    return card
