"""A model as a value, and the one way to write and to read it: network, class names, preprocessing, weights, facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..arch.spec import Arch
from ..data.preprocess import Preprocess
from ..errors import LinnetError, WeightsError
from ..nn.build import build
from ..nn.net import Net
from .pickled import refuse_pickle
from .tensors import read_tensors, write_tensors

NAMES = ("best.safetensors", "weights.safetensors")  # of a run's folder, of a bundle


@dataclass(frozen=True)
class Model:
    """What is needed to use a network again, and what is known of it (metrics, licence, source).

    `labels` says how its logits are meant: "one" class of each picture, or "several" that each may be there (sigmoid).
    """

    arch: Arch
    classes: tuple[str, ...]
    preprocess: Preprocess
    state: Mapping[str, Tensor]
    facts: Mapping[str, Any] = field(default_factory=dict)
    labels: str = "one"

    def net(self) -> Net:
        """The network with these weights, in evaluation mode, its windows as `preprocess` gives it pictures.

        Raises: WeightsError when the weights are not those of the network.
        """
        demand_size(self.arch, self.state)
        net = build(self.arch)
        load_exactly(net, self.state, what=self.arch.name)
        net.fit_windows(self.preprocess.image)
        return net.eval()


def write_model(path: str | Path, model: Model) -> str:
    """Write `model` as one safetensors file, whole or not at all; returns the SHA-256 of its content.

    Raises: WeightsError when there is no room; an older file stays as it was.
    """
    facts = {
        "arch": model.arch.to_json(),
        "classes": list(model.classes),
        "preprocess": model.preprocess.to_json(),
        "labels": model.labels,
        "facts": dict(model.facts),
    }
    return write_tensors(path, model.state, facts, kind="model")


def read_model(path: str | Path) -> Model:
    """The model in a file, a run's folder (best.safetensors) or a bundle, folder or zip (weights.safetensors).

    No code is ever run: pickles (.pt, .pth) are refused.
    Raises: WeightsError for whatever is missing, damaged or no model.
    """
    path = Path(path)
    if path.is_dir():
        found = [path / name for name in NAMES if (path / name).is_file()]
        if not found:
            raise WeightsError(
                f"{path}: neither a run nor a bundle ({' or '.join(NAMES)} is missing). Give another folder."
            )
        path = found[0]
    if path.name != "last.ckpt":  # a run's own, which is no pickle
        refuse_pickle(path)
    state, facts = read_tensors(
        path, kind="model", remedy="Give a run's best.safetensors, a bundle or a fresh copy.",
        member=NAMES[1] if path.suffix.lower() == ".zip" else "",
    )  # fmt: skip
    try:
        return Model(
            arch=Arch.from_json(facts["arch"]),
            classes=tuple(facts["classes"]),
            preprocess=Preprocess.from_json(facts["preprocess"]),
            state=state,
            facts=facts["facts"],
            labels=check_labels(facts.get("labels", "one")),  # older files do not say it
        )
    except (LinnetError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{path}: cannot be understood ({error}). Write it again with this version of Linnet."
        ) from error


def check_labels(said: Any) -> str:
    """Raises: WeightsError for what is neither "one" nor "several"."""
    if said not in ("one", "several"):
        raise WeightsError(f'labels is {said!r}, not "one" or "several"')
    return said


def demand_size(arch: Arch, state: Mapping[str, Tensor]) -> None:
    """Make sure that a network is no larger than its weights, before it takes memory: a file of a few bytes could describe
    one of any size.

    Raises: WeightsError.
    """
    layers = sum(row.layers for row in arch.rows)
    if layers <= 2 * len(state) + 100:  # a few have no weights
        with torch.device("meta"):
            net = build(arch)
        if sum(p.nbytes for p in net.state_dict().values()) <= 4 * sum(t.nbytes for t in state.values()) + 2**20:
            return
    raise WeightsError(
        f"The weights of {arch.name} do not fit: its table describes a much larger network. Give its own weights."
    )


def load_exactly(net: nn.Module, state: Mapping[str, Tensor], *, what: str) -> None:
    """Copy `state` into `net`: every name once, every shape equal.

    Raises: WeightsError that names the first tensors which do not fit.
    """
    own = net.state_dict()
    missing, left = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    shapes = [n for n in own if n in state and own[n].shape != state[n].shape]
    for problem, names in (("has no", missing), ("has an unknown", left), ("has another shape for", shapes)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise WeightsError(
                f"The weights of {what} do not fit: the file {problem} {names[0]}{more}. Give its own weights."
            )
    net.load_state_dict(dict(state))
