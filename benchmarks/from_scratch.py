"""From scratch at equal time: `linnet train --from-scratch` (96 to 160 px) against a plain script with timm's model.

    python benchmarks/from_scratch.py PHOTOS          # PHOTOS has train/ validation/ test/; about half an hour on 2 cores

Three seeds, alternating. The plain script (benchmarks/plain.py) trains at 128 px with RandAugment, an average of the
weights and a one-cycle schedule, in the layout and precision that measures fastest for it; its learning rate is chosen
on one seed, and it gets as many epochs as fit into Linnet's time, rounded up.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import statistics
import tempfile
import time
from pathlib import Path

from about import about
from plain import Plain, measure_formats, train_plain

from linnet.evaluation.evaluate import evaluate_model
from linnet.evaluation.intervals import wilson
from linnet.pipeline import train_on
from linnet.weights.model import read_model

NETWORK, EPOCHS, SEEDS, RATES = "mobilenetv3_small_100", 12, (0, 1, 2), (2e-3, 4e-3)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("photos", type=Path)
    given = arguments.parse_args()
    formats = measure_formats(NETWORK, 128, 64)
    form = max(formats, key=lambda name: formats[name])
    print({k: round(v, 1) for k, v in formats.items()}, "->", form, flush=True)
    plain = Plain(NETWORK, 128, 0, 0.0, 0, augmentation="rand", ema=0.998, crop_area=(0.2, 1.0))
    short = [train_plain(given.photos, dataclasses.replace(plain, epochs=3, lr=lr), form) for lr in RATES]
    lr = RATES[max(range(len(RATES)), key=lambda i: short[i]["validation"])]
    per_epoch = statistics.mean(row["seconds"] for row in short) / 3
    print("plain:", short, "-> lr", lr, flush=True)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as name:
        for seed in SEEDS:
            began = time.monotonic()
            flags = {"arch": NETWORK, "epochs": EPOCHS, "image": 160, "seed": seed}
            run, photos = train_on(given.photos, flags, from_scratch=True, out=Path(name) / f"{seed}")
            seconds = time.monotonic() - began
            model = read_model(run)
            found = {s: evaluate_model(model, photos, name="", split=s).metrics for s in ("validation", "test")}
            ours.append({"seed": seed, "seconds": seconds, **{s: m.top1 for s, m in found.items()}})
            print("linnet", ours[-1], flush=True)
            epochs = math.ceil(seconds / per_epoch)
            row = train_plain(given.photos, dataclasses.replace(plain, epochs=epochs, lr=lr, seed=seed), form)
            theirs.append({"seed": seed, "epochs": epochs, **row})
            print("plain", theirs[-1], flush=True)
    n = 341 + 372
    both = {side: statistics.mean((341 * r["validation"] + 372 * r["test"]) / n for r in rows)
            for side, rows in (("linnet", ours), ("plain", theirs))}  # fmt: skip
    result = {
        "about": about(), "network": NETWORK, "plain_form": form, "plain_formats": formats, "lr": lr,
        "linnet": ours, "plain": theirs, "validation_and_test_mean": both,
        "interval_of_one_run": {side: wilson(round(share * n), n) for side, share in both.items()},
    }  # fmt: skip
    path = Path(__file__).parent / "results" / "from_scratch.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k not in ("about", "linnet", "plain")}, indent=1))


if __name__ == "__main__":
    main()
