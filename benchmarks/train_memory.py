"""Memory of a training step on a CPU: what `linnet table NAME --train-memory` says, and what a fresh process takes.

python benchmarks/train_memory.py            # ten minutes

results/train_memory.json has the first five networks, from before the other four were added and with a larger network as
the warm-up. One look at others (fp32, two rounds, that warm-up) gave mobilenetv2_100 -2 %, densenet121 +4 %,
mobilenetv3_large_100 at 160 pixels and 64 photos -15 %, swin_tiny +19 % (its warm-up was large: too little was measured).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

from about import about

from linnet.arch.names import find
from linnet.cost.memory import train_memory

# The pieces of linnet/training/loop.py, on random pixels. What PyTorch loads at its first step is there before the start.
CHILD = """
import resource, sys, torch
from linnet.arch.names import find
from linnet.nn.build import build
from linnet.training.ema import Ema
from linnet.training.guard import Guard
from torch.nn.functional import log_softmax
from linnet.training.memory import keep_memory
from linnet.training.optim import build_optimizer
from linnet.training.recipe import Recipe
name, batch, image, precision = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
keep_memory()

def train(name, batch, image, steps):
    net = build(find(name)).train().to(memory_format=torch.channels_last)
    ema, guard, optimizer = Ema(net, 0.9999), Guard(net), build_optimizer(net, Recipe(arch=name))
    for _ in range(steps):
        pixels = torch.randint(0, 256, (batch, image, image, 3), dtype=torch.uint8)
        images = pixels.float().sub_(120).div_(60).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        targets = torch.full((batch, 1000), 1e-3)
        guard.remember()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = net(images)
        loss = -(targets * log_softmax(logits.float(), 1)).sum(1).mean()
        loss.backward()
        torch.nn.utils.get_total_norm([p.grad for p in net.parameters()]).item()
        optimizer.step()
        ema.update()
        optimizer.zero_grad(set_to_none=True)

train("mobilevit_xxs", 2, 64, 2)  # small, and with all that the others are made of
before = int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
train(name, batch, image, 4)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before)
"""
CASES = (
    ("mobilenetv3_small_100", 64), ("efficientnet_b0", 32), ("resnet50", 16), ("convnext_tiny", 16),
    ("vit_tiny_patch16_224", 64),
    # Not looked at when the fifth that a process takes beside its tensors was chosen (RESIDENT in linnet/cost/need.py).
    ("mobilenetv2_100", 32), ("densenet121", 16), ("swin_tiny_patch4_window7_224", 16), ("mobilenetv3_large_100", 32),
)  # fmt: skip
ROUNDS = 3


def main() -> None:
    rows = []
    for precision in ("fp32", "bf16"):
        for name, batch in CASES:
            said = train_memory(find(name), 224, batch=batch, precision=precision)
            command = [sys.executable, "-c", CHILD, name, str(batch), "224", precision]
            took = sorted(int(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(ROUNDS))
            measured = statistics.median(took)
            rows.append({
                "network": name, "batch": batch, "image": 224, "precision": precision,
                "tensors_mb": round(said.peak / 1e6), "predicted_mb": round(said.resident / 1e6),
                "measured_mb": round(measured / 1e6), "spread_mb": [round(took[0] / 1e6), round(took[-1] / 1e6)],
                "off_percent": round(100 * (said.resident / measured - 1), 1),
            })  # fmt: skip
            print("| {network} | {batch} | {precision} | {tensors_mb} | {predicted_mb} | {measured_mb} ({spread_mb[0]} to {spread_mb[1]}) | {off_percent:+} |".format(**rows[-1]), flush=True)  # fmt: skip
    path = Path(__file__).parent / "results" / "train_memory.json"
    path.write_text(json.dumps({"about": about(), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
