"""From a bundle to a static page that runs it in a browser; the verb `web`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..bundle import Bundle

WEB = "web"  # what it is called in `export --to`
SUFFIX = "-web"
MODEL = "model.onnx"


@dataclass(frozen=True)
class Page:
    """A folder with a page that runs a bundle in a browser."""

    folder: Path
    bytes: int

    def __str__(self) -> str:
        return f"{self.folder} ({self.bytes / 1e6:.1f} MB). Try it: python -m http.server --directory {self.folder}"

    def to_json(self) -> dict[str, Any]:
        return {"page": str(self.folder), "bytes": self.bytes}


def web(bundle: Path, *, out: Path | None = None) -> Page:
    """Make a static page of a bundle: it classifies pictures in any browser, and measures the device it runs on.

    Args:
        bundle: The bundle's folder, NAME.linnet, or a run that has one. It must have ONNX Runtime's file.
        out: The folder to make; by default NAME-web beside the bundle. Nothing is overwritten.
    """
    from ..bundle import SUFFIX as BUNDLE_SUFFIX
    from ..bundle import new_bundle, read_bundle
    from ..predict import bundle_in

    checked = read_bundle(bundle_in(Path(bundle)))
    place = Path(out) if out else free_page(checked.folder.with_name(checked.folder.name.removesuffix(BUNDLE_SUFFIX)))
    files = page_files(checked)
    with new_bundle(place) as temporary:
        for name, data in files.items():
            (temporary / name).write_bytes(data)
    return Page(place, sum(map(len, files.values())))


def split_web(to: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """The runtimes that `export --to` asks for, with the one that browsers run if a page is wanted; and whether it is.

    Raises: FileError when ONNX Runtime Web cannot be had. An export takes minutes; that is said before.
    """
    from .package import package_files

    if isinstance(to, str) or WEB not in to:
        return to, False
    package_files()
    others = tuple(name for name in to if name != WEB)
    return others if {"onnx", "auto"} & set(others) else ("onnx", *others), True


def page_beside(bundle: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Make the page of a bundle just made: a line that says where it is, or one that says why there is none."""
    from ...errors import LinnetError

    try:
        return (f"page: {web(bundle)}",), ()
    except LinnetError as error:
        return (), (f"{WEB}: {error}",)


def page_files(bundle: Bundle) -> dict[str, bytes]:
    """All files of the page by name.

    Raises: SettingError for a bundle that a browser cannot run as it was proven, FileError when ONNX Runtime Web is missing.
    """
    import json
    from importlib.resources import files

    from ...errors import SettingError
    from ..classifier import Classifier
    from .check import check_facts
    from .package import ORT_WEB, package_files

    runtime = next((one for one in bundle.runtimes if (one.runtime, one.precision) == ("onnx", "fp32")), None)
    if runtime is None:
        raise SettingError(
            f"{bundle.folder}: has no model for ONNX Runtime, which is what browsers run. Make one with: linnet export RUN --to onnx"
        )
    if not (bundle.preprocess.antialias and bundle.preprocess.upright):
        raise SettingError(
            f"{bundle.folder}: was trained on pictures that were not turned upright, or scaled without antialiasing;"
            " the page cannot do that. Train with preprocess.antialias and preprocess.upright."
        )
    model = bundle.read(runtime.file)
    facts = {
        "name": bundle.name,
        "about": about(bundle),
        "classes": list(bundle.classes),
        "labels": bundle.labels,
        "preprocess": bundle.preprocess.to_json(),
        "model": {
            "file": MODEL,
            "input": runtime.input,
            "output": runtime.output,
            "bytes": len(model),
            "sha256": bundle.facts["files"][runtime.file]["sha256"],
        },
        "ort": ORT_WEB.version,
        "check": check_facts(Classifier(bundle.folder, threads=1, runtime="onnx")),
    }
    page = {
        one.name: one.read_bytes() for one in files("linnet.deploy.web").joinpath("page").iterdir() if one.is_file()
    }
    text = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return {**page, **package_files(), MODEL: model, "facts.json": text.encode()}


def about(bundle: Bundle) -> str:
    """One line below the page's title: the network, its input, its accuracy on which photos."""
    parts = [bundle.arch.name, f"{len(bundle.classes)} classes", f"{bundle.preprocess.image} px"]
    metrics = bundle.facts.get("metrics", {})
    if isinstance(top1 := metrics.get("top1"), float):
        low, high = metrics["top1_interval"]
        right = f"{100 * top1:.1f} % right on {metrics['n']:,} {metrics['split']} photos"
        parts.append(f"{right} (95 % interval {100 * low:.1f} to {100 * high:.1f})")
    return " · ".join(parts)


def free_page(place: Path) -> Path:
    """NAME-web, or NAME-web-2, ... if there is one already."""
    from ...files import free_file

    return free_file(place.with_name(f"{place.name}{SUFFIX}"))
