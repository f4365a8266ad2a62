"""Time to accuracy on a folder of photos: Linnet's fine-tuning against the best plain script, alternating, three seeds.

    python benchmarks/fine_tune.py PHOTOS          # PHOTOS has train/ validation/ test/; about half an hour on 2 cores

Both sides start from the same ImageNet weights and run whole schedules of their own length: Linnet's first recipe of 5
epochs (what `linnet fit` takes), the plain script (benchmarks/plain.py) one-cycle runs of 2 and 3. The plain one that
counts is the shortest whose validation accuracy, mean of the seeds, is at least Linnet's less one photo; where none is,
the longest. The plain script's rate is 1e-3: of 1e-3, 2e-3 and 4e-3 the best on one seed, two epochs (90.0, 88.6 and
87.7 % validation), and of 3e-4, 5e-4 and 1e-3 with another draw of its classifier. Its layout and precision are measured first,
in short runs of the script. Times run from the first look at the folder to the last validation. Every run is a process of its own.
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

from linnet.evaluation.evaluate import evaluate_model
from linnet.evaluation.intervals import wilson
from linnet.files import write_json
from linnet.training.loop import run
from linnet.training.start import first_recipe, look_at, new_run
from linnet.weights.keymap import from_linnet
from linnet.weights.model import read_model
from linnet.weights.pretrained import load_pretrained

NETWORK, IMAGE, RATE = "tf_efficientnet_lite0", 160, 1e-3
OURS, THEIRS, SEEDS = (5,), (2, 3), (0, 1, 2)
RESULT = Path(__file__).parent / "results" / "fine_tune.json"


def run_linnet(photos: Path, epochs: int, seed: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        diagnosis = look_at(photos)
        recipe = first_recipe(
            arch=NETWORK, photos=len(diagnosis.photos.train), root=str(photos), epochs=epochs, seed=seed
        )
        made = new_run(Path(folder) / "run", diagnosis)
        run(recipe, diagnosis.photos, made)
        seconds = time.monotonic() - began
        lines = [json.loads(line) for line in (made / "log.jsonl").read_text().splitlines()]
        last = [line["validation"] for line in lines if line["kind"] == "epoch"][-1]
        test = evaluate_model(read_model(made), diagnosis.photos, name="", split="test").metrics
    return {"seconds": seconds, "validation": last["top1"], "test": test.top1, "n": last["n"], "n_test": test.n}


def plain_of(epochs: int, seed: int, lr: float = RATE) -> Plain:
    weights = load_pretrained(NETWORK)
    return Plain(
        NETWORK, IMAGE, epochs, lr, seed, weights=from_linnet(weights.state, weights.arch, "timm"),
        mean=weights.preprocess.mean, std=weights.preprocess.std,
    )  # fmt: skip


def run_plain(photos: Path, epochs: int, seed: int, form: str, lr: float = RATE) -> dict[str, Any]:
    return train_plain(photos, plain_of(epochs, seed, lr), form)


def plain_formats(photos: Path) -> dict[str, float]:
    return measure_formats(photos, plain_of(1, 0))


def apart(work: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """What `work` finds in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(work, *arguments).result()
    print(
        work.__name__,
        arguments[1:],
        {k: round(v, 4) if isinstance(v, float) else v for k, v in found.items()},
        flush=True,
    )
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("photos", type=Path)
    photos, facts = arguments.parse_args().photos, about()
    formats = apart(plain_formats, photos)
    form = max(formats, key=lambda name: formats[name])
    rows: list[dict[str, Any]] = []
    for seed in SEEDS:
        for epochs in OURS:
            rows.append({"side": "linnet", "epochs": epochs, "seed": seed, **apart(run_linnet, photos, epochs, seed)})
        for epochs in THEIRS:
            rows.append(
                {"side": "plain", "epochs": epochs, "seed": seed, **apart(run_plain, photos, epochs, seed, form)}
            )
        result = {"about": facts, "network": NETWORK, "image": IMAGE, "plain_form": form, "plain_formats": formats,
                  "plain_rate": RATE, "runs": rows, "schedules": schedules(rows), "ratios": ratios(rows)}  # fmt: skip
        write_json(RESULT, result)  # what is known so far, after each seed
    print(json.dumps({k: result[k] for k in ("schedules", "ratios")}, indent=1))


def of(rows: list[dict[str, Any]], side: str, epochs: int) -> list[dict[str, Any]]:
    return [row for row in rows if row["side"] == side and row["epochs"] == epochs]


def schedules(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Median time and mean accuracies of each schedule; the interval is that of all its seeds' photos together."""
    found = []
    for side, epochs in sorted({(row["side"], row["epochs"]) for row in rows}):
        own = of(rows, side, epochs)
        mean = {name: statistics.mean(row[name] for row in own) for name in ("validation", "test")}
        n, n_test = next((row["n"], row["n_test"]) for row in rows if row["side"] == "linnet")
        found.append({
            "side": side, "epochs": epochs, "seeds": len(own),
            "seconds": statistics.median(row["seconds"] for row in own), **mean,
            "validation_interval_of_one_run": wilson(round(mean["validation"] * n), n),
            "test_interval_of_one_run": wilson(round(mean["test"] * n_test), n_test),
        })  # fmt: skip
    return found


def ratios(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each of Linnet's schedules: its time by that of the shortest plain one that is as accurate."""
    found = []
    for epochs in OURS:
        own = of(rows, "linnet", epochs)
        wanted = statistics.mean(row["validation"] for row in own) - 1 / own[0]["n"]
        reached = [e for e in THEIRS if statistics.mean(row["validation"] for row in of(rows, "plain", e)) >= wanted]
        counted = reached[0] if reached else THEIRS[-1]
        pairs = zip(own, of(rows, "plain", counted), strict=True)
        values = [mine["seconds"] / other["seconds"] for mine, other in pairs]
        found.append({
            "linnet_epochs": epochs, "plain_epochs": counted, "plain_is_as_accurate": bool(reached),
            "median": statistics.median(values), "min": min(values), "max": max(values),
        })  # fmt: skip
    return found


if __name__ == "__main__":
    main()
