"""How well timed blocks predict whole networks: each of 32 is predicted by a correction fitted on the 31 others.

    python benchmarks/latency_table.py --folder F --make         writes all ONNX files into F: 8 minutes, any time
    python benchmarks/latency_table.py --folder F --way onnx     times blocks and networks: 2 to 3 minutes, on a quiet machine
    python benchmarks/latency_table.py --only resnet18 lcnet_100 ...

No block is ever timed inside a network: the table has what the probes say (linnet/deploy/latency/probe.py), and a network's own
measurement does not take part in its prediction. Networks are timed before and after the blocks and
the mean counts, each time corrected by the machine's pace at that moment (linnet/deploy/latency/pace.py); by what the two still differ is
the noise, which no prediction can be better than. "Family left out" fits the
correction without all networks of a family; "by references" on the six networks alone that Linnet measures whole when it
makes a table, of the others; "bare sum" has no correction. Results go into benchmarks/results/latency_table.json, a part for
each runtime, and the table is printed as Markdown.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from about import about

from linnet.arch.names import find
from linnet.arch.spec import Arch, Dropout, Layer
from linnet.cores import available_cores
from linnet.cost.latency import Block, Correction, LatencyTable, Whole, block_key, fitted
from linnet.deploy.latency.blocks import LEAST, REFERENCES, machine_of, measure_whole, time_probe, whole_model
from linnet.deploy.latency.pace import pace_of
from linnet.deploy.latency.probe import probe_model
from linnet.files import write_json

RESULTS = Path(__file__).parent / "results/latency_table.json"
NETWORKS = {
    "mobilenetv1_100": 224, "mobilenetv1_050": 160, "mobilenetv2_100": 224, "mobilenetv2_050": 128,
    "mobilenetv2_140": 192, "mobilenetv3_small_100": 224, "mobilenetv3_small_075": 160, "mobilenetv3_large_100": 224,
    "mobilenetv3_large_075": 160, "mobilenetv4_conv_small": 224, "mobilenetv4_conv_medium": 256, "mnasnet_100": 224,
    "semnasnet_100": 192, "efficientnet_b0": 224, "efficientnet_b1": 240, "efficientnet_lite0": 224,
    "tf_efficientnet_lite2": 260, "efficientnetv2_b0": 192, "efficientnetv2_s": 300, "resnet18": 224, "resnet34": 160,
    "resnet50": 224, "convnext_tiny": 224, "mobilevit_xxs": 256, "mobilevit_s": 256, "mobilevitv2_050": 256,
    "ghostnet_100": 224, "lcnet_100": 224, "lcnet_050": 160, "mobileone_s0": 224, "repvit_m0_9": 224,
    "squeezenet1_1": 224,
}  # fmt: skip
AT_ONCE = 32


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--folder", type=Path, default=Path("latency_models"))
    options.add_argument("--make", action="store_true")
    options.add_argument("--way", default="onnx")
    options.add_argument("--threads", type=int, default=0)
    options.add_argument("--only", nargs="+", default=list(NETWORKS))
    options.add_argument("--out", type=Path, default=RESULTS)
    given = options.parse_args()
    networks = {name: (find(name), NETWORKS[name]) for name in given.only}
    branches = probes(networks.values())
    if given.make:
        make(networks, branches, given.folder)
        return 0
    found = measure(networks, branches, given.folder, given.way, given.threads or available_cores())
    before = json.loads(given.out.read_text()) if given.out.exists() else {}
    write_json(given.out, before | {given.way: found})
    print(markdown(given.way, found))
    return 0


def probes(networks: Any) -> list[list[Layer]]:
    """All blocks of the networks, each once, as many to a probe as Linnet puts into one."""
    layers = {block_key(layer): layer for arch, image in networks for _, layer in arch.layers(image)}
    timed = [layer for layer in layers.values() if not isinstance(layer.op, Dropout)]
    groups = [timed[i : i + AT_ONCE] for i in range(0, len(timed), AT_ONCE)]
    return [group * max(1, -(-LEAST // len(group))) for group in groups]


def make(networks: dict[str, tuple[Arch, int]], branches: list[list[Layer]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (arch, image) in networks.items():
        write(folder / f"{name}-{image}.onnx", lambda arch=arch, image=image: whole_model(arch, image))
    for group in branches:
        write(folder / probe_name(group), lambda group=group: probe_model(group))


def probe_name(branches: list[Layer]) -> str:
    """Another selection of networks has other probes."""
    return f"probe-{hashlib.sha256(''.join(map(block_key, branches)).encode()).hexdigest()[:10]}.onnx"


def write(path: Path, model: Any) -> None:
    if not path.exists():
        began = time.perf_counter()
        path.write_bytes(model())
        print(f"{path.name} {time.perf_counter() - began:.1f} s", file=sys.stderr, flush=True)


def measure(
    networks: dict[str, tuple[Arch, int]], branches: list[list[Layer]], folder: Path, way: str, threads: int
) -> dict[str, Any]:
    began = time.perf_counter()

    def wholes() -> dict[str, float]:
        return {
            name: measure_whole((folder / f"{name}-{image}.onnx").read_bytes(), image, pace, seconds=0.3)
            for name, (_, image) in networks.items()
        }  # fmt: skip

    pace = pace_of(way, threads)
    table = LatencyTable(way, threads, machine_of(way), pace.ms)
    first = wholes()
    for group in branches:
        table = table.with_blocks(time_probe((folder / probe_name(group)).read_bytes(), group, pace))
    last = wholes()
    for layer in (layer for arch, image in networks.values() for _, layer in arch.layers(image)):
        if isinstance(layer.op, Dropout):
            table = table.with_blocks({block_key(layer): Block(0.0, 0)})
    for name, (arch, image) in networks.items():
        ms, nodes = table.sum(layer for _, layer in arch.layers(image))
        table = table.with_whole(Whole(name, image, ms, nodes, (first[name] + last[name]) / 2))
    measured = [one.ms for one in table.wholes]
    few = fitted([one for one in table.wholes if (one.name, one.image) in REFERENCES])
    others = [one for one in table.wholes if (one.name, one.image) not in REFERENCES]
    bare = [one.blocks_ms / one.ms - 1 for one in table.wholes]
    noise = [last[one.name] / first[one.name] - 1 for one in table.wholes]
    return {
        "about": about() | {"runtime": table.machine["runtime"], "threads": threads, "batch": 1},
        "blocks": len(table.blocks),
        "seconds": round(time.perf_counter() - began, 1),
        "correction": vars(table.correction),
        "left_out": shares(table.errors),
        "family_left_out": shares(family_left_out(table.wholes)),
        "by_references": shares([few.whole(one.blocks_ms, one.nodes) / one.ms - 1 for one in others] or [0.0]),
        "bare_sum": shares(bare),
        "noise": shares(noise),
        "networks": [
            {**one._asdict(), "predicted_ms": round(ms * (1 + error), 4), "error": round(error, 4),
             "first_ms": first[one.name], "last_ms": last[one.name]}
            for one, ms, error in zip(table.wholes, measured, table.errors, strict=True)
        ],
        "table": table.to_json()["blocks"],
    }  # fmt: skip


def family_left_out(wholes: Sequence[Whole]) -> list[float]:
    """Errors of predicting each network by a correction fitted on the other families alone."""
    family = [re.sub(r"(_|\d).*", "", one.name.removeprefix("tf_")) for one in wholes]
    found = []
    for own, one in zip(family, wholes, strict=True):
        correction: Correction = fitted([w for w, other in zip(wholes, family, strict=True) if other != own])
        found.append(correction.whole(one.blocks_ms, one.nodes) / one.ms - 1)
    return found


def shares(errors: Sequence[float]) -> dict[str, float]:
    sizes = np.abs(errors)
    return {"median": round(float(np.median(sizes)), 4), "p90": round(float(np.percentile(sizes, 90)), 4),
            "largest": round(float(sizes.max()), 4), "mean_signed": round(float(np.mean(errors)), 4)}  # fmt: skip


def markdown(way: str, found: dict[str, Any]) -> str:
    lines = [f"**{way}** ({found['about']['runtime']}, {found['about']['threads']} threads, batch 1)", "",
             "| network | px | blocks ms | predicted ms | measured ms | error | before, after |",
             "|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
    for one in found["networks"]:
        lines.append(
            f"| {one['name']} | {one['image']} | {one['blocks_ms']:.2f} | {one['predicted_ms']:.2f} | {one['ms']:.2f} |"
            f" {100 * one['error']:+.1f} % | {one['first_ms']:.2f}, {one['last_ms']:.2f} |"
        )
    lines.append("")
    for what in ("left_out", "family_left_out", "by_references", "bare_sum", "noise"):
        s = found[what]
        lines.append(
            f"{what.replace('_', ' ')}: median {100 * s['median']:.1f} %, p90 {100 * s['p90']:.1f} %, largest"
            f" {100 * s['largest']:.1f} %, mean {100 * s['mean_signed']:+.1f} %"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
