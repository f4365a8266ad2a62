"""Which runtimes are on this machine and work: a tiny network goes through each. `linnet doctor --runtimes`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

# What a tiny network's logits may be off by, as a share of the largest. Rounding is 1e-6, a broken kernel far above.
# int8 rounds to 256 steps, in a network whose weights nobody has trained.
ALLOWED = {"fp32": 1e-4, "bf16": 0.1, "int8": 0.5}


@dataclass(frozen=True)
class RuntimeState:
    """What was found of one runtime: "works", "missing", "runs only" (what writes its files is missing) or "broken"."""

    name: str
    state: str
    version: str
    text: str


@dataclass(frozen=True)
class RuntimeCheck:
    """The state of every runtime that Linnet knows. `errors` are those that are installed but broken."""

    states: tuple[RuntimeState, ...]

    def __str__(self) -> str:
        rows = [(one.name, one.version or "-", one.text) for one in self.states]
        wide = [max(len(row[column]) for row in rows) for column in range(2)]
        return "\n".join(f"{name:{wide[0]}}  {version:{wide[1]}}  {text}" for name, version, text in rows)

    @property
    def errors(self) -> tuple[str, ...]:
        return tuple(f"{one.name}: {one.text}" for one in self.states if one.state == "broken")

    def to_json(self) -> list[dict[str, str]]:
        return [asdict(one) for one in self.states]


def look_at_runtimes() -> RuntimeCheck:
    """Write and run a tiny network with every runtime that is installed, and compare its answers with PyTorch's."""
    import tempfile

    import torch

    from ..arch.names import find
    from ..data.preprocess import Preprocess
    from ..evaluation.progress import shown_progress
    from ..nn.build import build
    from .runtime.known import WAYS

    preprocess = Preprocess(image=32)
    generator = torch.Generator().manual_seed(0)
    whole = find("mobilenetv3_small_035").with_classes(4)
    # The first five rows have every kind of layer that the others repeat; each runtime takes seconds to convert one.
    net = build(replace(whole, stages=whole.stages[:5])).eval()
    with torch.no_grad():
        for parameter in net.parameters():  # as good as any, and the same each time, whatever others have drawn
            spread = 0.5 if parameter.ndim < 2 else (parameter[0].numel()) ** -0.5
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * spread)
        images = torch.randn(3, 3, preprocess.image, preprocess.image, generator=generator)
        wanted = net(images).numpy()
    with tempfile.TemporaryDirectory() as folder:
        states = []
        with shown_progress(len(WAYS), "trying the runtimes") as advance:
            for name in WAYS:
                states.append(look_at(name, net, preprocess, images.numpy(), wanted, Path(folder) / name))
                if advance:
                    advance(1)
    return RuntimeCheck(tuple(states))


def look_at(name: str, net: Any, preprocess: Any, images: Any, wanted: Any, place: Path) -> RuntimeState:
    """One runtime, in a folder of its own: `images` float32 [B, 3, H, W] in, `wanted` [B, classes] out."""
    import numpy as np

    from ..errors import LinnetError
    from .bundle import Runtime
    from .proven import candidate_of, write_files
    from .runtime import aotinductor
    from .runtime.known import find_way, is_here

    known, precision = find_way(name)
    if not is_here(known.module):
        return RuntimeState(name, "missing", "", f"not installed: {known.install}")
    found = installed_version(known.package.split()[0])
    if not is_here(known.maker_of(precision)):
        return RuntimeState(name, "runs only", found, f"runs bundles; to make them: {known.install}")
    if known.program and (why := aotinductor.cannot_compile()):
        return RuntimeState(name, "runs only", found, f"not to be made here: {why}")
    file, *more = known.files_of(precision)
    runtime = Runtime(known.name, precision, file, tuple(more))
    place.mkdir()
    try:
        if precision == "int8":
            write_tried(known, net, preprocess, images, place)
        else:
            write_files(known, net, preprocess, place / runtime.file, uint8=False)
        said = candidate_of(runtime, place, threads=1).run(images)
    except LinnetError as error:
        return RuntimeState(name, "broken", found, str(error))
    off = float(np.abs(said - wanted).max() / np.abs(wanted).max()) if said.shape == wanted.shape else float("inf")
    if not off <= ALLOWED[precision]:
        return RuntimeState(
            name, "broken", found, f"answers otherwise than PyTorch: off by {off:.2g} of the largest logit"
        )
    return RuntimeState(name, "works", found, f"works: off by {off:.0e} of the largest logit")


def write_tried(known: Any, net: Any, preprocess: Any, images: Any, place: Path) -> None:
    """int8 with the very images as calibration, and no gate: there are no photos here to judge it by."""
    from importlib import import_module

    from .proven import converting

    maker = import_module(f".runtime.{known.name}_int8", __package__)
    with converting(known, net):
        files = maker.quantise(maker.prepare(net, preprocess, [images]), maker.SETTINGS[0])
    for name, data in zip(known.files_of("int8"), files, strict=True):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(data)


def installed_version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:  # such as a build of one's own
        return package
