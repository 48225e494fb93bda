"""Published weights: where they lie in the standard caches, and how to fetch them.

Loading an embedder never reaches out to the network; only `download` does, on request.
The caches are those of huggingface_hub (`HF_HOME`, `HF_HUB_CACHE`) and of torch (`TORCH_HOME`).
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from dvdup.embedders.quiet import quiet
from dvdup.errors import EmbedderError
from dvdup.extras import is_installed

_TIMEOUT_S = 10.0
_FREE = frozenset({"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0"})
_NOT_COMMERCIAL = ("-nc", "noncommercial", "non-commercial")
_TRUE = frozenset({"1", "ON", "YES", "TRUE"})


@dataclass(frozen=True, slots=True)
class HubWeights:
    """One published weight file: in a hub repository, or else behind a plain address."""

    repo: str = ""
    """`owner/name` or `owner/name@revision`; "" if there is only a url."""
    files: tuple[str, ...] = ()
    """File names to try in the repository, best first."""
    url: str = ""
    licence: str = ""
    """As its publisher names it; "" if that is not recorded."""
    megabytes: int | None = None
    """About how much there is to download; None if that is not recorded."""

    @property
    def source(self) -> str:
        """Where people can read about it."""
        return f"https://huggingface.co/{self.repo}" if self.repo else self.url


def terms(weights: HubWeights, name: str) -> str:
    """What to know before weights are downloaded: size, licence, where its text stands."""
    size = f" (about {weights.megabytes} MB)" if weights.megabytes else ""
    licence = weights.licence.lower()
    if not licence:
        what = "have no licence on record: read their page before you use them"
    elif any(mark in licence for mark in _NOT_COMMERCIAL):
        what = f"are under {weights.licence}: not for commercial use"
    elif licence in _FREE:
        what = f"are under {weights.licence}"
    else:
        what = f"are under {weights.licence}, with terms of its own: read them before you use it"
    return f"the weights of {name}{size} {what} ({weights.source})"


def is_offline(offline: bool = False) -> bool:
    """Whether the option or one of the usual variables forbids the network."""
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
    return offline or any(os.environ.get(name, "").upper() in _TRUE for name in names)


def cached(weights: HubWeights) -> Path | None:
    """The weight file in the local cache, or None; no network and no torch.

    Without the extra `models` nothing could use a file of a hub, and none is found.
    """
    if not weights.repo:
        path = _torch_cache() / _url_name(weights.url)
        return path if weights.url and path.is_file() else None
    if not is_installed("huggingface_hub"):
        return None
    from huggingface_hub import try_to_load_from_cache

    repo, _, revision = weights.repo.partition("@")
    for name in weights.files:
        found = try_to_load_from_cache(
            repo, name, cache_dir=_hub_cache(), revision=revision or None
        )
        if isinstance(found, str):
            return Path(found)
    return None


def missing_weights(name: str) -> EmbedderError:
    """The one sentence for published weights that are not in the local cache."""
    return EmbedderError(
        f"the weights of {name} are not on this machine; run "
        f"`dvdup models fetch {shlex.quote(name)}` where there is a network, "
        "or give a checkpoint file in the embedder's name"
    )


def download(weights: HubWeights, name: str, *, offline: bool = False) -> Path:
    """Put the weight file of embedder `name`, which is not there, into the standard cache.

    Returns:
        Its path.

    Raises:
        EmbedderError: If offline, if the hub does not answer within 10 s, or if it refuses.
    """
    if is_offline(offline):
        raise EmbedderError(
            f"the weights of {name} cannot be fetched in offline mode; unset HF_HUB_OFFLINE, "
            "TRANSFORMERS_OFFLINE and DVDUP_OFFLINE (or offline in dvdup.toml), or give a file "
            "instead"
        )
    if not weights.repo:
        return _download_url(weights.url, name)
    _check_reachable(name)
    return _download_repo(weights, name)


def _check_reachable(name: str) -> None:
    # The hub client retries for about a minute before it gives up; one short question first.
    import urllib.error
    import urllib.request

    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    request = urllib.request.Request(endpoint, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
            pass
    except urllib.error.HTTPError:
        return  # it answers
    except (OSError, ValueError) as error:
        raise _unreachable(name, endpoint) from error


def _download_repo(weights: HubWeights, name: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        LocalEntryNotFoundError,
    )

    repo, _, revision = weights.repo.partition("@")
    for file in weights.files:
        try:
            with quiet():
                path = hf_hub_download(
                    repo, file, revision=revision or None, cache_dir=_hub_cache()
                )
            return Path(path)
        except GatedRepoError as error:
            raise EmbedderError(
                f"the weights of {name} need an account: accept the terms at {weights.source}, "
                "then run `hf auth login`"
            ) from error
        except LocalEntryNotFoundError as error:  # what a lost connection is called there
            raise _unreachable(name, weights.source) from error
        except EntryNotFoundError:
            continue
        except Exception as error:  # the client's errors differ between its versions
            line = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
            raise EmbedderError(f"the weights of {name} could not be fetched: {line}") from error
    raise EmbedderError(
        f"{weights.source} holds none of {', '.join(weights.files)}; "
        f"give a file instead: --embedder '{name}@FILE'"
    )


def _download_url(url: str, name: str) -> Path:
    import urllib.request

    target = _torch_cache() / _url_name(url)
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as source, part.open("wb") as out:
            while block := source.read(1 << 20):
                out.write(block)
        part.replace(target)
    except (OSError, ValueError) as error:
        raise _unreachable(name, url) from error
    finally:
        part.unlink(missing_ok=True)
    return target


def _unreachable(name: str, address: str) -> EmbedderError:
    return EmbedderError(
        f"the weights of {name} cannot be fetched: {address} does not answer; try again where "
        "there is a network, or give a file instead"
    )


def _url_name(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


def _hub_cache() -> Path:
    # As huggingface_hub reads it, but at call time: its own constants are frozen at import.
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    home = os.environ.get("HF_HOME") or str(_user_cache() / "huggingface")
    return Path(os.path.expandvars(named or os.path.join(home, "hub"))).expanduser()


def _torch_cache() -> Path:
    home = os.environ.get("TORCH_HOME") or str(_user_cache() / "torch")
    return Path(os.path.expandvars(home)).expanduser() / "hub" / "checkpoints"


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
