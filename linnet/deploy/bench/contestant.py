"""Who is measured: a model at a size on a runtime, with the bytes that it is made of."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...arch.names import find
from ...arch.spec import Arch
from ...data.preprocess import Preprocess
from ...errors import LinnetError, SettingError, did_you_mean
from ..bundle import Bundle, read_bundle
from ..predict import bundle_in
from ..runtime.aotinductor import cannot_compile
from ..runtime.known import RUNTIMES, WAYS, KnownRuntime, find_way, is_here, way
from .peak import open_any

if TYPE_CHECKING:
    from ...nn.net import Net

EAGER = "pytorch"  # the name of what is no runtime of a bundle


@dataclass(frozen=True)
class Contestant:
    """`accuracy` (a share, with its interval) is what the bundle's certificate says; a network by name has none."""

    model: str
    way: str
    image: int
    runtime: str
    precision: str
    files: tuple[bytes, ...]
    size_bytes: int
    uint8: bool = False
    accuracy: float | None = None
    interval: tuple[float, float] | None = None

    def images(self, batch: int) -> np.ndarray:
        """Noise in the form that its file takes, the same each time."""
        rng = np.random.default_rng(0)
        if self.uint8:
            return rng.integers(0, 256, (batch, self.image, self.image, 3), np.uint8)
        return rng.standard_normal((batch, 3, self.image, self.image), np.float32)

    def call(self, batch: int, threads: int) -> Callable[[], object]:
        """One call with a whole batch, the model being loaded already.

        Raises: what loading does.
        """
        return partial(open_any(self.runtime, self.precision, self.files, threads=threads), self.images(batch))


@dataclass(frozen=True)
class Field:
    """All who start; `notes` say who cannot."""

    contestants: tuple[Contestant, ...]
    notes: tuple[str, ...]


def line_up(models: Sequence[str], ways: Sequence[str], sizes: Sequence[int]) -> Field:
    """Every model on every way, or on all that are there; a network by name at every size, or at its own.

    Raises: SettingError for what is no bundle and no network, for a runtime that is not known, and when nobody is left.
    """
    for name in ways:
        if name != EAGER:
            find_way(name)
    found: list[Contestant] = []
    notes: list[str] = []
    named = [model for model in models if not Path(model).exists()]
    if sizes and not named:
        raise SettingError("--image is for networks by name: a bundle has its own size. Leave it out.")
    for model in models:
        if model not in named:
            bundle = read_bundle(bundle_in(Path(model)))
            found += of_bundle(bundle, ways, notes)
            continue
        arch = known_network(model)
        for image in sizes or (arch.image,):
            found += of_network(replace(arch, image=image), ways, notes)
    if not found:
        raise SettingError(" ".join(notes) or "Nothing to measure. Name bundles, or networks: linnet archs")
    return Field(tuple(found), tuple(dict.fromkeys(notes)))


def known_network(name: str) -> Arch:
    """Raises: SettingError for what is neither a network nor there as a file."""
    if "/" in name or name.endswith((".linnet", ".zip")):
        raise SettingError(f"{name}: there is no such bundle. Give a bundle's or a run's folder, or a network's name.")
    return find(name)


def of_bundle(bundle: Bundle, ways: Sequence[str], notes: list[str]) -> list[Contestant]:
    """Those of a bundle's runtimes that are asked for and installed."""
    own = {way(one.runtime, one.precision): one for one in bundle.runtimes}
    proofs = {way(one["runtime"], one["precision"]): one for one in bundle.certificates}
    found = []
    for name in ways or own:
        if not ways and (known := RUNTIMES.get(own[name].runtime)) and known.program:
            notes.append(f"{name} is not measured: its file is a program. If you trust who made it: --runtime {name}")
            continue
        if name == EAGER:
            found.append(eager(bundle.name, replace(bundle.arch, image=bundle.preprocess.image)))
        elif name not in own:
            hint = did_you_mean(name, own) or f" Make a bundle that has it: linnet export RUN --to {name}"
            notes.append(f"{bundle.folder.name} has no runtime {name}.{hint}")
        elif (known := RUNTIMES.get(own[name].runtime)) is None or not is_here(known.module):
            notes.append(f"{name} is not installed: pip install {known.package if known else name}")
        else:
            one = own[name]
            files = tuple(bundle.read(file) for file in (one.file, *one.more))
            accuracy, interval = accuracy_of(proofs[name])
            found.append(
                Contestant(
                    bundle.name, name, bundle.preprocess.image, one.runtime, one.precision, files,
                    sum(map(len, files)), one.input == "uint8", accuracy, interval,
                )
            )  # fmt: skip
    return found


def accuracy_of(certificate: dict[str, Any]) -> tuple[float | None, tuple[float, float] | None]:
    """The share of photos that are right on this runtime; of several labels each, those of which all are."""
    said = certificate.get("accuracy", {}).get("runtime", {})
    interval = said.get("interval")
    return said.get("top1", said.get("exact_match")), tuple(interval) if interval else None


def of_network(arch: Arch, ways: Sequence[str], notes: list[str], net: Net | None = None) -> list[Contestant]:
    """A network with drawn weights, exported for every way; without `ways` for all that are installed and no program.

    int8 is calibrated on noise: good for its time, and for nothing else. `net`: the network, where it is drawn already.
    """
    from ..eager import untrained

    found, written = [], dict[tuple[str, ...], tuple[bytes, ...] | LinnetError]()
    for name in ways or [*(name for name, (one, _) in WAYS.items() if not one.program), EAGER]:
        if name == EAGER:
            found.append(eager(arch.name, arch))
            continue
        known, precision = find_way(name)
        if not (is_here(known.module) and is_here(known.maker_of(precision))):
            if ways:
                notes.append(f"{known.title} is not installed for {name}. Install it with: {known.install}")
            continue
        if known.program and (why := cannot_compile()):
            notes.append(why)
            continue
        names = known.files_of(precision)
        if names not in written:
            net = net or untrained(arch)
            try:
                written[names] = (int8_files if precision == "int8" else float_files)(known, net)
            except LinnetError as error:
                written[names] = error
        made = written[names]
        if isinstance(made, LinnetError):
            notes.append(str(made))
        else:
            size = sum(map(len, made))
            found.append(Contestant(arch.name, name, arch.image, known.name, precision, made, size))
    return found


def float_files(known: KnownRuntime, net: Net) -> tuple[bytes, ...]:
    from ..proven import write_files

    with tempfile.TemporaryDirectory() as folder:
        write_files(known, net, Preprocess(image=net.arch.image), Path(folder) / known.files[0], uint8=False)
        return tuple((Path(folder) / file).read_bytes() for file in known.files)


def int8_files(known: KnownRuntime, net: Net) -> tuple[bytes, ...]:
    from ..proven import converting

    maker = import_module(f"..runtime.{known.name}_int8", __package__)
    noise = np.random.default_rng(0).standard_normal((4, 3, net.arch.image, net.arch.image), np.float32)
    with converting(known, net):
        prepared = maker.prepare(net, Preprocess(image=net.arch.image), [noise])
        return tuple(maker.quantise(prepared, maker.SETTINGS[0]))


def eager(name: str, arch: Arch) -> Contestant:
    """PyTorch itself; its weights are drawn, which takes the same time."""
    from ...cost.count import count

    size = 4 * count(arch).total.params
    return Contestant(name, EAGER, arch.image, EAGER, "fp32", (json.dumps(arch.to_json()).encode(),), size)
