"""Networks on every runtime and precision that is installed, beside PyTorch eager and compiled, ours and timm's, all in turns.

    python benchmarks/deploy.py                # six networks, batch 1 and 32, two threads: about 12 minutes on 2 cores, and
                                               # AOTInductor's compiling, half a minute and more for each network
    python benchmarks/deploy.py --quick        # two networks, batch 1, without torch.compile and AOTInductor: about a minute
    python benchmarks/deploy.py --networks mobilenetv2_100 --batches 1 --seconds 10

Weights are drawn (linnet/deploy/eager.py): time does not depend on what they say. int8 is calibrated on noise, for the same
reason; whether it keeps its accuracy is another benchmark's matter. PyTorch gets what makes it faster: channels-last, and bf16
where the processor has it; torch.compile is given frozen weights, at batch 1 alone (compiling takes half a minute a network).
Within a network and batch all take turns in blocks (linnet/deploy/bench/timing.py), so ratios hold though a machine is not quiet; the
interval is of the median over rounds. Writes deploy.json and deploy.md in benchmarks/results.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
import torch._inductor.config
from about import about

from linnet.arch.names import find
from linnet.deploy.bench.bench import measure
from linnet.deploy.bench.contestant import EAGER, Contestant, of_network
from linnet.deploy.eager import untrained
from linnet.deploy.fastest import every_way
from linnet.deploy.runtime.known import WAYS
from linnet.files import write_json, write_text
from linnet.weights.keymap import from_linnet

RESULT = Path(__file__).parent / "results" / "deploy.json"
NETWORKS = (
    "mobilenetv2_100",
    "mobilenetv3_large_100",
    "efficientnet_b0",
    "efficientnetv2_s",
    "mobilevit_s",
    "convnext_tiny",
)
QUICK = ("mobilenetv2_100", "efficientnet_b0")
TORCH = ("pytorch", "pytorch-bf16", "timm", "timm-bf16", "pytorch-compiled")


class Library(Contestant):
    """PyTorch in one of its forms: TORCH says which."""

    def call(self, batch: int, threads: int) -> Callable[[], object]:
        torch.set_num_threads(threads)
        net = modules[self.way.partition("-")[0], self.model].to(memory_format=torch.channels_last)
        images = torch.from_numpy(self.images(batch)).contiguous(memory_format=torch.channels_last)
        run = torch.compile(net, dynamic=False) if self.way.endswith("compiled") else net

        def once() -> object:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=self.way.endswith("bf16")):
                return run(images)

        once()  # what there is to compile is compiled before anybody's warm-up
        return once


modules: dict[tuple[str, str], torch.nn.Module] = {}


def contestants(
    name: str, batch: int, ways: tuple[str, ...], notes: list[str], exported: dict[str, list[Contestant]]
) -> list[Contestant]:
    arch = find(name)
    if name not in exported:
        here = [way for way in every_way(int8=True) if way in ways]
        here += [way for way in ways if way == "aotinductor"]  # where there is no compiler it is a note
        exported[name] = of_network(arch, here, notes) if here else []
        net = untrained(arch)
        theirs = timm.create_model(name).eval()
        theirs.load_state_dict(from_linnet(net.state_dict(), arch, "timm"))
        modules["pytorch", name], modules["timm", name] = net, theirs
    size = 4 * sum(p.numel() for p in modules["pytorch", name].parameters())
    wanted = [way for way in ways if way in TORCH and not (way.endswith("compiled") and batch > 1)]
    return exported[name] + [Library(name, way, arch.image, EAGER, "fp32", (), size) for way in wanted]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=None)
    parser.add_argument("--batches", nargs="+", type=int, default=None)
    parser.add_argument("--ways", nargs="+", default=[*WAYS, *TORCH])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.5, help="for each contestant")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    networks = tuple(options.networks or (QUICK if options.quick else NETWORKS))
    batches = tuple(options.batches or ((1,) if options.quick else (1, 32)))
    slow = ("pytorch-compiled", "aotinductor")
    ways = tuple(way for way in options.ways if not (options.quick and way in slow))
    torch._inductor.config.freezing = True
    facts, began = about() | {"threads": options.threads, "seconds": options.seconds}, time.monotonic()
    found: list[dict[str, Any]] = []
    exported: dict[str, list[Contestant]] = {}
    for name in networks:
        for batch in batches:
            notes: list[str] = []
            started = time.monotonic()
            who = contestants(name, batch, ways, notes, exported)
            made = time.monotonic() - started
            result = measure(
                who, batch=batch, threads=options.threads, seconds=options.seconds, memory=False, notes=notes
            )
            found.append({"network": name, "image": who[0].image, **result.to_json()})
            spent = time.monotonic() - started - made
            print(f"{name}, {result}\n({made:.0f} s to make, {spent:.0f} s to load, compile and measure)\n", flush=True)
        exported.pop(name)
        torch._dynamo.reset()
    facts["minutes"] = round((time.monotonic() - began) / 60, 1)
    place = options.out or (None if options.quick or options.networks or options.batches else RESULT)
    text = markdown(facts, found, ways)
    if place:
        write_json(place, {"about": facts, "results": found})
        write_text(place.with_suffix(".md"), text + "\n")
    print(text)


def markdown(facts: dict[str, Any], found: list[dict[str, Any]], ways: tuple[str, ...]) -> str:
    """A row for each network and batch, a column for each way; the fastest is bold, and whoever cannot be told from it."""
    shown = [way for way in ways if any(row["way"] == way for one in found for row in one["rows"])]
    lines = [
        f"Median milliseconds of a call, all of a row taking turns; {facts['threads']} threads, {facts['machine']['processor']},"
        f" {facts['date']}, torch {facts['torch']}, timm {facts['timm']}, onnxruntime {facts['onnxruntime']}. Bold: the fastest,"
        " and what cannot be told from it. Drift: the last third of the rounds by the first.",
        "",
        f"| network | px | batch | {' | '.join(shown)} | drift |",
        f"|---|---:|---:|{'---:|' * (len(shown) + 1)}",
    ]
    for one in found:
        times = {row["way"]: row["median_ms"] for row in one["rows"]}
        first = one["rows"][0]["name"]
        best = {one["rows"][0]["way"]} | {
            p["slower"] for p in one["pairs"] if p["faster"] == first and not p["told_apart"]
        }
        cells = [
            "" if way not in times else f"**{times[way]:.3g}**" if way in best else f"{times[way]:.3g}" for way in shown
        ]
        lines.append(
            f"| {one['network']} | {one['image']} | {one['batch']} | {' | '.join(cells)} | {one['drift']:.2f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
