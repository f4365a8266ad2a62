"""Time to accuracy on a folder of photos: `linnet fit` against the best plain script, alternating, three seeds.

    python benchmarks/fine_tune.py PHOTOS          # PHOTOS has train/ validation/ test/; about 40 minutes on 2 cores

The plain side (benchmarks/plain.py) starts from the same ImageNet weights and has Linnet's highest learning rate; it runs
its own schedules of 1, 2, 3 and 5 epochs. The one that counts is the shortest whose validation accuracy is at least that
of Linnet's last epoch, less one photo. It is found on the first seed (from 3 epochs on, longer or shorter ones as needed),
and the other seeds run that one. Linnet's time is the whole of its
training, with the look at the data; its export, proof and report are timed apart, since the plain script has none. Every
run is a process of its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from about import about
from plain import Plain, measure_formats, train_plain

from linnet.evaluation.intervals import wilson
from linnet.pipeline import finish, train_on
from linnet.weights.keymap import from_linnet
from linnet.weights.pretrained import load_pretrained

NETWORK, IMAGE = "tf_efficientnet_lite0", 160
RATE, SCHEDULES, SEEDS = 1e-3, (1, 2, 3, 5), (0, 1, 2)


def run_linnet(photos: Path, seed: int, folder: Path) -> dict[str, Any]:
    began = time.monotonic()
    flags = {"arch": NETWORK, "seed": seed}
    run, found = train_on(photos, flags, from_scratch=False, out=folder / f"linnet-{seed}")
    trained = time.monotonic() - began
    fitted = finish(run, found, began)
    epochs = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    checked = [line["validation"] for line in epochs if line["kind"] == "epoch"]
    return {
        "seed": seed,
        "seconds": trained,
        "with_proof_seconds": fitted.seconds,
        "validation_last": checked[-1]["top1"],
        "validation_best": max(line["top1"] for line in checked),
        "n_validation": checked[-1]["n"],
        "test": fitted.metrics["top1"],
        "n_test": fitted.metrics["n"],
    }


def run_plain(photos: Path, epochs: int, lr: float, seed: int, form: str) -> dict[str, Any]:
    weights = load_pretrained(NETWORK)
    plain = Plain(
        NETWORK, IMAGE, epochs, lr, seed, weights=from_linnet(weights.state, weights.arch, "timm"),
        mean=weights.preprocess.mean, std=weights.preprocess.std,
    )  # fmt: skip
    return {"epochs": epochs, "lr": lr, "seed": seed, **train_plain(photos, plain, form)}


def apart(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """What `work` finds in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(work, *arguments).result()
    print(work.__name__, {k: round(v, 4) for k, v in found.items()}, flush=True)
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("photos", type=Path)
    photos = arguments.parse_args().photos
    formats = apart(measure_formats, NETWORK, IMAGE, 64)
    form = max(formats, key=lambda name: formats[name])
    ours, theirs = list[dict[str, Any]](), list[dict[str, Any]]()
    with tempfile.TemporaryDirectory() as name:
        for seed in SEEDS:
            ours.append(apart(run_linnet, photos, seed, Path(name)))
            if seed == SEEDS[0]:
                enough = ours[0]["validation_last"] - 1 / ours[0]["n_validation"]
                for epochs in (3, 2, 1):
                    theirs.append(apart(run_plain, photos, epochs, RATE, seed, form))
                    if theirs[-1]["validation"] < enough:
                        break
                if not any(row["validation"] >= enough for row in theirs):
                    theirs.append(apart(run_plain, photos, SCHEDULES[-1], RATE, seed, form))
                reached = sorted(row["epochs"] for row in theirs if row["validation"] >= enough)
                counted = reached[0] if reached else SCHEDULES[-1]
            else:
                theirs.append(apart(run_plain, photos, counted, RATE, seed, form))
            write(ours, theirs, counted, bool(reached), form, formats)


def write(
    ours: list[dict[str, Any]],
    theirs: list[dict[str, Any]],
    counted: int,
    reached: bool,
    form: str,
    formats: dict[str, float],
) -> None:
    """What is known so far, after each seed."""
    rivals = [next(t for t in theirs if t["seed"] == o["seed"] and t["epochs"] == counted) for o in ours]
    ratios = [o["seconds"] / t["seconds"] for o, t in zip(ours, rivals, strict=True)]
    test = statistics.mean(o["test"] for o in ours)
    summary = {
        "seeds": len(ours),
        "plain_epochs_that_count": counted,
        "plain_reaches_the_accuracy": reached,
        "ratio_of_times_median": statistics.median(ratios),
        "ratio_of_times_spread": [min(ratios), max(ratios)],
        "linnet_seconds_median": statistics.median(o["seconds"] for o in ours),
        "plain_seconds_median": statistics.median(t["seconds"] for t in rivals),
        "linnet_validation_mean": statistics.mean(o["validation_last"] for o in ours),
        "plain_validation_mean": statistics.mean(t["validation"] for t in rivals),
        "linnet_test_mean": test,
        "linnet_test_interval_of_one_run": wilson(round(test * ours[0]["n_test"]), ours[0]["n_test"]),
        "plain_test_mean": statistics.mean(t["test"] for t in rivals),
    }
    print(json.dumps(summary, indent=1), flush=True)
    result = {
        "about": about(), "network": NETWORK, "plain_image": IMAGE, "plain_form": form, "plain_formats": formats,
        "linnet": ours, "plain": theirs, "summary": summary,
    }  # fmt: skip
    path = Path(__file__).parent / "results" / "fine_tune.json"
    path.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
