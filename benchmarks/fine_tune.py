"""Time to accuracy on a folder of photos: `linnet fit` against the best plain script, alternating, three seeds.

    python benchmarks/fine_tune.py PHOTOS          # PHOTOS has train/ validation/ test/; about 35 minutes on 2 cores

The plain side (benchmarks/plain.py) starts from the same ImageNet weights. Its learning rate is chosen on one seed, and
it runs its own schedules of 1, 2, 3 and 5 epochs; the one that counts is the shortest whose validation accuracy is at
least Linnet's mean, less one photo. Linnet's time is the whole of training, with the look at the data; its export, proof
and report are timed apart, since the plain script has none.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from about import about
from plain import Plain, measure_formats, train_plain

from linnet.evaluation.intervals import wilson
from linnet.pipeline import finish, train_on
from linnet.weights.keymap import from_linnet
from linnet.weights.pretrained import load_pretrained

NETWORK, IMAGE = "tf_efficientnet_lite0", 160
RATES, SCHEDULES, SEEDS = (5e-4, 1e-3, 2e-3), (1, 2, 3, 5), (0, 1, 2)


def run_linnet(photos: Path, seed: int, folder: Path) -> dict[str, Any]:
    began = time.monotonic()
    run, found = train_on(photos, {"arch": NETWORK}, seed=seed, from_scratch=False, out=folder / f"linnet-{seed}")
    trained = time.monotonic() - began
    fitted = finish(run, found, began)
    epochs = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    best = max((e["validation"]["top1"] for e in epochs if e["kind"] == "epoch"), default=0)
    return {
        "seed": seed,
        "seconds": trained,
        "with_proof_seconds": fitted.seconds,
        "validation": best,
        "test": fitted.metrics["top1"],
        "n": fitted.metrics["n"],
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("photos", type=Path)
    arguments.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "fine_tune.json")
    given = arguments.parse_args()
    weights = load_pretrained(NETWORK)
    plain = Plain(
        NETWORK, IMAGE, 0, 0.0, 0, weights=from_linnet(weights.state, weights.arch, "timm"),
        mean=weights.preprocess.mean, std=weights.preprocess.std,
    )  # fmt: skip
    formats = measure_formats(NETWORK, IMAGE, plain.batch)
    form = max(formats, key=lambda name: formats[name])
    print("plain side, images/s:", {k: round(v, 1) for k, v in formats.items()}, "->", form, flush=True)

    def run_plain(epochs: int, lr: float, seed: int) -> dict[str, Any]:
        found = train_plain(given.photos, dataclasses.replace(plain, epochs=epochs, lr=lr, seed=seed), form)
        print(f"plain {epochs} epochs, lr {lr:g}, seed {seed}: {found}", flush=True)
        return {"epochs": epochs, "lr": lr, "seed": seed, **found}

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tuning = [run_plain(2, lr, 0) for lr in RATES]
        lr = max(tuning, key=lambda row: row["validation"])["lr"]
        ours, theirs = [], [row for row in tuning if row["lr"] == lr]
        for seed in SEEDS:
            ours.append(run_linnet(given.photos, seed, folder))
            print("linnet", ours[-1], flush=True)
            # The first seed says which schedules can matter; the others run the two shortest that come near.
            schedules = SCHEDULES if seed == 0 else near(theirs, ours)
            theirs += [run_plain(e, lr, seed) for e in schedules if (e, seed) not in {(r["epochs"], r["seed"]) for r in theirs}]  # fmt: skip
    target = statistics.mean(row["validation"] for row in ours)
    reached = [e for e in SCHEDULES if mean(theirs, e, "validation") >= target - 1 / 341]
    counted = reached[0] if reached else SCHEDULES[-1]
    ratios = [o["seconds"] / t["seconds"] for o in ours for t in theirs if t["seed"] == o["seed"] and t["epochs"] == counted]  # fmt: skip
    right, n = sum(round(r["test"] * r["n"]) for r in ours), sum(r["n"] for r in ours)
    result = {
        "about": about(),
        "network": NETWORK,
        "image": IMAGE,
        "plain_form": form,
        "plain_formats": formats,
        "plain_tuning": tuning,
        "linnet": ours,
        "plain": theirs,
        "target_validation": target,
        "counted_epochs": counted,
        "plain_reaches_it": bool(reached),
        "ratio_median": statistics.median(ratios),
        "ratio_spread": [min(ratios), max(ratios)],
        "linnet_test_mean": right / n,
        "linnet_test_interval_one_run": wilson(round(right / len(ours)), n // len(ours)),
    }
    given.out.parent.mkdir(exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k not in ("about", "linnet", "plain")}, indent=1))


def mean(rows: list[dict[str, Any]], epochs: int, name: str) -> float:
    return statistics.mean([row[name] for row in rows if row["epochs"] == epochs] or [0.0])


def near(theirs: list[dict[str, Any]], ours: list[dict[str, Any]]) -> list[int]:
    """The shortest schedule that reached Linnet's accuracy on the first seed, and the one before it."""
    place = next(
        (i for i, e in enumerate(SCHEDULES) if mean(theirs, e, "validation") >= ours[0]["validation"] - 0.01), 3
    )
    return list(SCHEDULES[max(0, place - 1) : place + 1])


if __name__ == "__main__":
    main()
