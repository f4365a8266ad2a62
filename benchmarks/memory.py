"""Training steps on a CPU with and without `linnet.training.memory.keep_memory`, in processes of their own, in turn.

python benchmarks/memory.py            # two minutes
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from about import about

CHILD = """
import sys, time, torch
from linnet.arch.names import find
from linnet.nn.build import build
from linnet.training.memory import keep_memory
name, precision, keep = sys.argv[1:]
if keep == "yes": keep_memory()
net = build(find(name)).train().to(memory_format=torch.channels_last)
x = torch.randn(32, 3, 128, 128).contiguous(memory_format=torch.channels_last)
took = []
for _ in range(8):
    began = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        loss = net(x).float().logsumexp(1).mean()
    loss.backward()
    net.zero_grad(set_to_none=True)
    took.append(time.perf_counter() - began)
print(32 / sorted(took[2:])[len(took[2:]) // 2])
"""
ROUNDS = 3


def images_per_second(name: str, precision: str, keep: str) -> float:
    done = subprocess.run([sys.executable, "-c", CHILD, name, precision, keep], capture_output=True, text=True, check=True)  # fmt: skip
    return float(done.stdout)


def main() -> None:
    rows = []
    for name in ("efficientnet_b0", "tf_efficientnet_lite0", "mobilenetv3_small_100"):
        for precision in ("fp32", "bf16"):
            pairs = [(images_per_second(name, precision, "no"), images_per_second(name, precision, "yes")) for _ in range(ROUNDS)]  # fmt: skip
            ratios = sorted(b / a for a, b in pairs)
            rows.append({
                "network": name,
                "precision": precision,
                "default": round(statistics.median(a for a, _ in pairs), 1),
                "kept": round(statistics.median(b for _, b in pairs), 1),
                "ratio": round(statistics.median(ratios), 2),
                "spread": [round(ratios[0], 2), round(ratios[-1], 2)],
            })  # fmt: skip
            print("| {network} | {precision} | {default} | {kept} | {ratio} ({spread[0]} to {spread[1]}) |".format(**rows[-1]), flush=True)  # fmt: skip
    path = Path(__file__).parent / "results" / "memory.json"
    path.write_text(json.dumps({"about": about(), "image": 128, "batch": 32, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
