"""A model's files from the Hugging Face Hub: safetensors, configuration and tokenizer, nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from decoding.errors import ModelError

__all__ = ["fetch", "is_hub_id"]

# "name" or "owner/name", as the Hub accepts them.
_HUB_ID = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,95}/)?[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_TIMEOUT = 10.0


def is_hub_id(name: str) -> bool:
    """Whether `name` has the form of a Hub id: `name` or `owner/name`."""
    forbidden = "--" in name or ".." in name or name.endswith(".git")
    return bool(_HUB_ID.fullmatch(name)) and not forbidden


def fetch(repo: str, revision: str | None, report: Callable[[str, float | None], None]) -> tuple[Path, str]:
    """The folder with the model's files, downloaded where they are not cached, and their commit.

    Without a network the cached copy serves.

    Raises:
        ModelError: there is no such model or revision, it is gated, it has no safetensors, or it is not
            cached and the Hub cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    report("downloading", None)
    try:
        # Asked first, as it fails at once without a network, where a download would try for half a minute.
        info = HfApi().model_info(repo, revision=revision, files_metadata=True, timeout=_TIMEOUT)
        # By the revision's name, as that notes in the cache which commit it is: that is how the cached copy
        # is found without a network.
        commit = _download(repo, revision, {"config.json": 0}, _say_nothing).name
        files = _files_to_load(repo, {file.rfilename: file.size or 0 for file in info.siblings or ()})
        return _download(repo, commit, files, report), commit
    except ModelError:
        raise
    except LocalEntryNotFoundError as error:
        return _cached(repo, revision, error)
    except EntryNotFoundError as error:
        raise ModelError(
            "the model {repo!r} has no config.json, so transformers cannot tell what it is; choose a model in "
            "transformers' format (an adapter alone is not a model: merge it first)",
            repo=repo,
        ) from error
    except GatedRepoError as error:
        raise ModelError(
            "the model {repo!r} is gated: its owner lets in only those who accepted the terms; accept them on the "
            "model's page, then log in here with `hf auth login` (or set HF_TOKEN)",
            repo=repo,
        ) from error
    except RevisionNotFoundError as error:
        raise ModelError(
            "the model {repo!r} has no revision {revision!r}; leave the revision out for the newest",
            repo=repo, revision=revision,
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelError(
            "there is no model {repo!r} on the Hub, or it is private; check the spelling (owner/name), or log in "
            "with `hf auth login` if it is yours",
            repo=repo,
        ) from error
    except Exception as error:  # no network, a proxy's answer, a server error: the cache may do
        return _cached(repo, revision, error)


def _files_to_load(repo: str, sizes: dict[str, int]) -> dict[str, int]:
    """The files at the top of the repository that loading needs, with their sizes in bytes."""
    top = {name: size for name, size in sizes.items() if "/" not in name}
    weights = {name for name in top if re.fullmatch(r"model(-\d+-of-\d+)?\.safetensors", name)}
    if not weights:
        others = (".bin", ".pt", ".gguf", ".safetensors", ".h5", ".onnx", ".msgpack")
        has = ", ".join(sorted(name for name in top if name.endswith(others)))
        raise ModelError(
            "the model {repo!r} has no weights in safetensors (it has {has}); choose one that has: other formats can "
            "run code when they are opened, and are not opened here",
            repo=repo, has=has or "none at all",
        )
    small = {n for n in top if n.endswith((".json", ".txt", ".model", ".jinja"))}
    return {name: top[name] for name in sorted(weights | small)}


def _download(
    repo: str, revision: str | None, files: dict[str, int], report: Callable[[str, float | None], None]
) -> Path:
    from huggingface_hub import hf_hub_download

    total = sum(files.values()) or 1
    done = 0
    path = ""
    for name, size in files.items():
        bar = _bar(partial(_report_bytes, report, done, size, total))
        path = hf_hub_download(repo, name, revision=revision, tqdm_class=bar, etag_timeout=_TIMEOUT)
        done += size
        report("downloading", done / total)
    return Path(path).parent


def _report_bytes(
    report: Callable[[str, float | None], None], done: int, size: int, total: int, n_bytes: int
) -> None:
    report("downloading", (done + min(n_bytes, size)) / total)


def _say_nothing(stage: str, fraction: float | None) -> None:
    pass


def _bar(report_bytes: Callable[[int], None]) -> Any:
    """A tqdm class that draws nothing and reports the bytes so far."""
    from tqdm import tqdm

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            self.n_bytes = kwargs.get("initial", 0)
            super().__init__(*args, **(kwargs | {"disable": True}))

        def update(self, n: float | None = 1) -> None:
            self.n_bytes += int(n or 0)
            report_bytes(self.n_bytes)

    return Bar


def _cached(repo: str, revision: str | None, error: Exception) -> tuple[Path, str]:
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(repo, revision=revision, local_files_only=True))
    except Exception:
        cause = error.__cause__ or error
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        raise ModelError(
            "the model {repo!r} is not on this machine, and the Hub cannot be reached ({reason}); connect to the "
            "network and try again, or name the local directory of a model, or use the offline model smollm2-135m",
            repo=repo, reason=reason,
        ) from error
    return folder, folder.name
