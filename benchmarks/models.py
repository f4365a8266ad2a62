"""Speed of the networks themselves: build, forward and training step beside timm's and torchvision's, alternating.

    python benchmarks/models.py                                    # about 8 minutes on 2 cores
    python benchmarks/models.py --networks resnet50 vit_tiny_patch16_224 --rounds 11 --seconds 10

One process holds all rivals with the same weights. A round times each of them once in each configuration, in an order that
turns from round to round; ratios are taken within a round (theirs : ours, so above 1 Linnet is faster), and the median of
the rounds is given with the lowest and the highest. There are as many rounds as fit into `--seconds`, but `--rounds` at
least. "build" is the construction with drawn weights. A training step is
forward, cross entropy, backward and an SGD update on a batch that stays the same. "best" sets each side's own fastest
configuration against the other's. Writes models.json and models.md in
benchmarks/results.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
from about import about
from torch import nn
from torch.nn import functional as F
from torchvision import models as torchvision_models

from linnet.arch.names import aliases, find
from linnet.files import write_json
from linnet.nn.build import build
from linnet.weights.keymap import from_linnet, to_linnet

RESULT = Path(__file__).parent / "results" / "models.json"
# MobileOne is not among them: timm's ends the process in fp32 channels-last training (linnet/nn/conv.py, `thin`).
# network -> side in pixels (the size it belongs to where that matters: windows, positions), images in a batch.
NETWORKS = {
    "mobilenetv2_100": (128, 16), "mobilenetv3_large_100": (128, 16), "mobilenetv3_small_100": (128, 16),
    "efficientnet_b0": (128, 16), "mobilenetv4_conv_small": (128, 16),
    "repvit_m0_9": (128, 16), "efficientvit_b0": (128, 16), "ghostnet_100": (128, 16), "lcnet_100": (128, 16),
    "efficientnetv2_s": (128, 4), "mobilevit_s": (256, 4), "convnext_tiny": (128, 4), "vit_tiny_patch16_224": (224, 4),
    "swin_tiny_patch4_window7_224": (224, 4), "swinv2_tiny_window8_256": (256, 4), "resnet50": (128, 4),
}  # fmt: skip
LAYOUTS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}
CONFIGURATIONS = [(layout, precision) for layout in LAYOUTS for precision in ("fp32", "bf16")]


def rivals(name: str) -> dict[str, Callable[[], nn.Module]]:
    """How each library that has the network builds it."""
    found: dict[str, Callable[[], nn.Module]] = {
        "linnet": lambda: build(find(name)),
        "timm": lambda: timm.create_model(name),
    }
    same = [n for n in torchvision_models.list_models(module=torchvision_models) if find_or_none(n) == name]
    if same:
        found["torchvision"] = lambda: torchvision_models.get_model(same[0])
    return found


def find_or_none(name: str) -> str | None:
    return name if name in NETWORKS else aliases().get(name)


def stepper(net: nn.Module, layout: str, precision: str, train: bool, image: int, batch: int) -> Callable[[], None]:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, 3, image, image, generator=generator).contiguous(memory_format=LAYOUTS[layout])
    labels = torch.randint(1000, (batch,), generator=generator)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)

    def forward() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            return net(images)

    def look() -> None:
        with torch.inference_mode():
            forward()

    def learn() -> None:
        F.cross_entropy(forward().float(), labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return learn if train else look


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def alternating(works: dict[str, Callable[[], Any]], rounds: int, limit: float) -> dict[str, list[float]]:
    """Seconds of each work, once a round, after two rounds to warm up."""
    order, found, began = list(works), {who: list[float]() for who in works}, 0.0
    for i in range(-2, 100):
        if i == 0:
            began = time.perf_counter()
        if i >= rounds and time.perf_counter() - began > limit:
            break
        for who in order[i % len(order) :] + order[: i % len(order)]:
            took = seconds(works[who])
            if i >= 0:
                found[who].append(took)
    return found


def measure(name: str, image: int, batch: int, rounds: int, limit: float) -> dict[str, Any]:
    makers = rivals(name)
    nets = {who: make() for who, make in makers.items()}
    # The numbers matter: among fresh weights are such as make others that processors crawl over.
    nets["linnet"].load_state_dict(to_linnet(nets["timm"].state_dict(), find(name), "timm"))
    if "torchvision" in nets:
        nets["torchvision"].load_state_dict(from_linnet(nets["linnet"].state_dict(), find(name), "torchvision"))
    times = {("build", ""): alternating(makers, rounds, limit)}
    for task in ("forward", "train"):
        for layout, precision in CONFIGURATIONS:
            for net in nets.values():
                net.train(task == "train").to(memory_format=LAYOUTS[layout])  # type: ignore[call-overload]
            steps = {who: stepper(net, layout, precision, task == "train", image, batch) for who, net in nets.items()}
            times[task, f"{layout} {precision}"] = alternating(steps, rounds, limit)
            del steps
            gc.collect()
    return {
        "network": name,
        "image": image,
        "batch": batch,
        "rows": [row for task in ("build", "forward", "train") for row in rows(task, times)],
    }


def rows(task: str, times: dict[tuple[str, str], dict[str, list[float]]]) -> list[dict[str, Any]]:
    own = {configuration: found for (t, configuration), found in times.items() if t == task}
    found = [{"task": task, "configuration": c, **compared(t["linnet"], t)} for c, t in own.items()]
    if task != "build":
        who = next(iter(own.values()))
        best = {w: min(own, key=lambda c: statistics.median(own[c][w])) for w in who}
        chosen = {w: own[best[w]][w] for w in who}
        found.append({"task": task, "configuration": "best", "chosen": best, **compared(chosen["linnet"], chosen)})
    return found


def compared(ours: list[float], of: dict[str, list[float]]) -> dict[str, Any]:
    result: dict[str, Any] = {"linnet_ms": round(1e3 * statistics.median(ours), 3), "rounds": len(ours)}
    for who, theirs in of.items():
        if who != "linnet":
            # Those of "best" may come from configurations with more and with fewer rounds.
            ratios = [b / a for a, b in zip(ours, theirs, strict=False)]
            result[who] = {"ms": round(1e3 * statistics.median(theirs), 3), "ratio": round(statistics.median(ratios), 3),
                           "min": round(min(ratios), 3), "max": round(max(ratios), 3)}  # fmt: skip
    return result


def markdown(result: dict[str, Any]) -> str:
    facts = result["about"]
    lines = [
        f"Times of others by Linnet's (above 1: Linnet is faster), median of {result['rounds']} rounds or more and their spread;"
        f" {facts['date']}, {facts['machine']['processor']}, 2 threads, torch {facts['torch']},"
        f" timm {facts['timm']}, torchvision {facts['torchvision']}.",
        "",
        "| network | px | batch | beside | build | forward, channels-last fp32 | forward, best | training, channels-last fp32 | training, best |",
        "|---|---:|---:|---|---:|---:|---:|---:|---:|",
    ]
    for network in result["networks"]:
        found = {(row["task"], row["configuration"]): row for row in network["rows"]}
        places = [("build", ""), ("forward", "channels-last fp32"), ("forward", "best"), ("train", "channels-last fp32"), ("train", "best")]  # fmt: skip
        for who in ("timm", "torchvision"):
            if who in found["build", ""]:
                cells = [found[place][who] for place in places]
                said = [f"{c['ratio']:.2f} ({c['min']:.2f} to {c['max']:.2f})" for c in cells]
                lines.append(
                    f"| {network['network']} | {network['image']} | {network['batch']} | {who} | "
                    + " | ".join(said)
                    + " |"
                )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of rounds, for each configuration")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(
        True
    )  # fresh weights make numbers that trained ones do not, and that processors crawl over
    facts = about()  # with the load when this began
    networks = []
    for name in options.networks:
        networks.append(measure(name, *NETWORKS.get(name, (find(name).image, 4)), options.rounds, options.seconds))
        gc.collect()
        print(
            markdown({"about": facts, "rounds": options.rounds, "networks": networks[-1:]}).splitlines()[-1],
            flush=True,
        )
        result = {
            "about": facts,
            "rounds": options.rounds,
            "threads": options.threads,
            "networks": networks,
        }
        if options.networks == list(NETWORKS):
            write_json(RESULT, result)
            RESULT.with_suffix(".md").write_text(markdown(result) + "\n", encoding="utf-8")
    print(markdown(result))


if __name__ == "__main__":
    main()
