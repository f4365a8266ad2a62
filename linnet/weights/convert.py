"""The verb `convert`: weights to and from the names of timm and torchvision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..arch.spec import Arch


@dataclass(frozen=True)
class Converted:
    """What was written, and what it holds."""

    file: Path
    arch: str
    classes: int
    names: str  # whose: "linnet", "timm", ...
    tensors: int
    note: str = ""  # what was assumed, or what the other library's network needs

    def to_json(self) -> dict[str, Any]:
        return {"file": str(self.file), "arch": self.arch, "classes": self.classes, "names": self.names,
                "tensors": self.tensors, "note": self.note}  # fmt: skip

    def __str__(self) -> str:
        held = f"{self.arch}, {self.classes:,} classes, {self.tensors:,} tensors under {self.names}'s names"
        return f"{self.file}: {held}" + (f"\n{self.note}" if self.note else "")


def convert(file: Path, *, to: str = "linnet", arch: str | None = None, out: Path | None = None) -> Converted:
    """Write weights under another library's names, so that its networks can load them.

    Reads Linnet's runs, bundles and files, the safetensors files of timm and torchvision, and pickled ones (.pth, .pt),
    those in a child process that may do nothing else. No file is ever overwritten.

    Args:
        file: Weights, or the folder of a run or bundle.
        to: Whose names: linnet, timm, torchvision, facebook (ConvNeXt), cvnets (MobileViT) or efficientnet_pytorch.
        arch: Of which network the weights are, where the file does not say it, such as "efficientnet_b0".
        out: The file to write; by default beside the first, such as model.timm.safetensors.
    """
    import os

    from ..arch.names import find
    from ..errors import FileError, SettingError, did_you_mean
    from .file import as_model, named_beside, read_weights
    from .keymap import DIALECTS, from_linnet
    from .model import write_model
    from .pickled import PICKLES, read_pickle
    from .tensors import write_plain

    if to not in ("linnet", *DIALECTS):
        allowed = ("linnet", *DIALECTS)
        raise SettingError(
            f"There are no names of {to!r}; choose one of {', '.join(allowed)}.{did_you_mean(to, allowed)}"
        )
    network = find(arch) if arch else None
    file = Path(os.path.abspath(file))  # a str works too; "." has no name to write beside
    if file.suffix in PICKLES and not file.is_dir():
        network = network or named_beside(file)
        model = as_model(read_pickle(file), network, file)
    else:
        model = read_weights(file, network)
    stem = file.name if file.is_dir() else file.stem
    target = Path(out) if out else file.with_name(f"{stem}.{to}.safetensors")
    if target.exists():
        raise FileError(f"{target} is there already, and nothing is overwritten. Give another name with --out.")
    if to == "linnet":
        state, note = model.state, model.facts.get("assumed", "")
        write_model(target, model)
    else:
        state, note = from_linnet(model.state, model.arch, to), _other_eps(model.arch, to)
        write_plain(target, state)
    return Converted(target, model.arch.name, model.arch.classes, to, len(state), note)


def _other_eps(arch: Arch, dialect: str) -> str:
    """A sentence where the other library builds this network with another eps than these weights need."""
    from ..arch.names import known
    from .file import first_published
    from .pretrained import catalogue

    key = first_published(arch, dialect)
    own = known().get(arch.name, arch).style.eps
    theirs = catalogue()[key].style.get("eps", own) if key else own
    if theirs == arch.style.eps:
        return ""
    return (
        f"These weights need eps {arch.style.eps:g} in their norms, and {dialect}'s {arch.name} has {theirs:g}:"
        " set it there, or the answers differ."
    )
