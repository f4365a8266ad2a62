"""Backward pass of depthwise convolutions in bf16 on a CPU: PyTorch's own against linnet.nn.depthwise.

    python benchmarks/depthwise.py            # about a minute; alternating, median of 7 in one process

The shapes are those of EfficientNet-B0's and Lite0's depthwise layers at 128 px, batch 32.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from about import about
from torch.nn import functional as F

from linnet.nn.depthwise import input_gradient, weight_gradient

BATCH, ROUNDS = 32, 7
# channels, side, kernel, stride
SHAPES = [(32, 64, 3, 1), (96, 64, 3, 2), (144, 32, 3, 1), (144, 32, 5, 2), (240, 16, 5, 1), (240, 16, 3, 2),
          (480, 8, 3, 1), (480, 8, 5, 1), (672, 8, 5, 1), (672, 8, 5, 2), (1152, 4, 5, 1), (1152, 4, 3, 1)]  # fmt: skip


def milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def main() -> None:
    rows = []
    for c, side, k, stride in SHAPES:
        x = torch.randn(BATCH, c, side, side).bfloat16().contiguous(memory_format=torch.channels_last)
        weight = torch.randn(c, 1, k, k).bfloat16()
        g = torch.randn_like(F.conv2d(x, weight, None, stride, k // 2, 1, c))

        def theirs(c=c, k=k, stride=stride, x=x, weight=weight, g=g) -> object:
            return torch.ops.aten.convolution_backward(
                g, x, weight, [0], [stride] * 2, [k // 2] * 2, [1, 1], False, [0, 0], c, [True, True, False]
            )

        def ours(k=k, stride=stride, x=x, weight=weight, g=g) -> object:
            return input_gradient(x, weight, g, stride, k // 2), weight_gradient(x, weight, g, stride, k // 2)

        theirs()
        ours()
        pairs = [(milliseconds(theirs), milliseconds(ours)) for _ in range(ROUNDS)]
        ratios = sorted(a / b for a, b in pairs)
        rows.append({
            "shape": f"{c} x {side} x {side}, {k} x {k}, stride {stride}",
            "pytorch_ms": round(statistics.median(a for a, _ in pairs), 2),
            "linnet_ms": round(statistics.median(b for _, b in pairs), 2),
            "ratio": round(statistics.median(ratios), 2),
            "spread": [round(ratios[0], 2), round(ratios[-1], 2)],
        })  # fmt: skip
        print("| {shape} | {pytorch_ms} | {linnet_ms} | {ratio} ({spread[0]} to {spread[1]}) |".format(**rows[-1]))
    facts = about() | {"threads": torch.get_num_threads()}
    path = Path(__file__).parent / "results" / "depthwise.json"
    path.write_text(json.dumps({"about": facts, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
