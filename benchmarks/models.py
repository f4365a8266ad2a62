"""Training throughput of a network beside timm's, in one process, alternating.

    python benchmarks/models.py                                  # about 4 minutes on 2 cores
    python benchmarks/models.py --network mobilenetv3_small_100 --rounds 5

A step is forward, cross entropy, backward and an SGD update on the same random batch, with the same weights at the
start. Every round times each layout and precision, ours and timm's by turns, and the one that begins changes from round to
round; a ratio is taken within a round, so that what else the machine does touches both. The last line sets the best of
ours against the best of timm's, from the same rounds. Writes benchmarks/results/models.json and prints a Markdown table. Needs timm.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import timm
import torch
from about import about
from torch import nn
from torch.nn import functional as F

from linnet.arch.names import find
from linnet.files import write_json
from linnet.nn.build import build
from linnet.weights.keymap import to_linnet

RESULT = Path(__file__).parent / "results" / "models.json"
BEST = "best against best"
CONFIGURATIONS = {
    "contiguous fp32": (torch.contiguous_format, False),
    "contiguous bf16": (torch.contiguous_format, True),
    "channels-last fp32": (torch.channels_last, False),
    "channels-last bf16": (torch.channels_last, True),
}


def stepper(net: nn.Module, layout: torch.memory_format, bf16: bool, batch: int, image: int) -> Callable[[], None]:
    """One training step of `net` on a batch that stays the same."""
    net = net.train().to(memory_format=layout)  # type: ignore[call-overload]
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, 3, image, image, generator=generator).contiguous(memory_format=layout)
    labels = torch.randint(1000, (batch,), generator=generator)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = net(images)
        F.cross_entropy(logits.float(), labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def images_per_second(step: Callable[[], None], steps: int, batch: int) -> float:
    began = time.perf_counter()
    for _ in range(steps):
        step()
    return steps * batch / (time.perf_counter() - began)


def spread(values: list[float]) -> dict[str, float]:
    return {key: round(f(values), 4) for key, f in (("median", statistics.median), ("min", min), ("max", max))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="efficientnet_b0")
    parser.add_argument("--image", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    batch = options.batch
    torch.set_num_threads(options.threads)
    facts = about()  # with the load when this began

    steps: dict[tuple[str, str], Callable[[], None]] = {}
    for name, (layout, bf16) in CONFIGURATIONS.items():
        theirs = timm.create_model(options.network)
        ours = build(find(options.network))
        ours.load_state_dict(to_linnet(theirs.state_dict(), ours.arch, "timm"))
        steps[name, "linnet"] = stepper(ours, layout, bf16, batch, options.image)
        steps[name, "timm"] = stepper(theirs, layout, bf16, batch, options.image)
    for step in steps.values():  # the first steps allocate and choose kernels
        step()
        step()

    speeds: dict[tuple[str, str], list[float]] = {key: [] for key in steps}
    for i in range(options.rounds):
        for name in CONFIGURATIONS:
            for who in ("linnet", "timm") if i % 2 == 0 else ("timm", "linnet"):
                speeds[name, who].append(images_per_second(steps[name, who], options.steps, batch))

    best = {who: max(CONFIGURATIONS, key=lambda c: statistics.median(speeds[c, who])) for who in ("linnet", "timm")}
    lines = {name: (name, name) for name in CONFIGURATIONS} | {BEST: (best["linnet"], best["timm"])}
    rows = [
        {
            "line": line,
            "linnet": spread(speeds[mine, "linnet"]) | {"configuration": mine},
            "timm": spread(speeds[other, "timm"]) | {"configuration": other},
            "ratio": spread([a / b for a, b in zip(speeds[mine, "linnet"], speeds[other, "timm"], strict=True)]),
        }
        for line, (mine, other) in lines.items()
    ]
    result = {
        "what": "training, images per second",
        "network": options.network,
        "image": options.image,
        "batch": batch,
        "rounds": options.rounds,
        "steps": options.steps,
        "threads": options.threads,
        "about": facts,
        "rows": rows,
    }
    RESULT.parent.mkdir(exist_ok=True)
    write_json(RESULT, result)
    print(markdown(result))


def markdown(result: dict) -> str:  # type: ignore[type-arg]
    facts = result["about"]
    lines = [
        f"{result['network']}, training at {result['image']} px, batch {result['batch']}: images/s, median of"
        f" {result['rounds']} rounds ({facts['date']}, {facts['machine']['processor']},"
        f" {result['threads']} threads, torch {facts['torch']}, timm {facts['timm']})",
        "",
        "| layout and precision | Linnet | timm | ratio: median (lowest to highest round) |",
        "|---|---:|---:|---:|",
    ]
    for row in result["rows"]:
        ours, theirs, ratio = row["linnet"], row["timm"], row["ratio"]
        line = row["line"]
        if line == BEST:
            line += f": {ours['configuration']} and {theirs['configuration']}"
        lines.append(
            f"| {line} | {ours['median']:.1f} | {theirs['median']:.1f}"
            f" | {ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f}) |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
