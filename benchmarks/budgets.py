"""`linnet fit` under three budgets: is each bundle within its own when it is measured again, and does accuracy rise?

    python benchmarks/budgets.py PHOTOS            # PHOTOS has train/ validation/ test/; up to 36 minutes on 2 cores

Each fit is a command as a user would give it, with `--minutes`. Then its bundle is measured in processes of their own, one
after the other, five times; every one of the five must be within the budget for "held", and the median is stated. Latency
tables of this machine are used if there are any (they only steer what is measured first).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from about import about

from linnet.files import write_json
from linnet.nas.again import again

BUDGETS, MINUTES, PROCESSES = (1.5, 4.0, 12.0), 12.0, 5
RESULT = Path(__file__).parent / "results" / "budgets.json"


def fit(photos: Path, budget: float, minutes: float, threads: int, folder: Path) -> dict[str, Any]:
    """One fit and its bundle measured again; what it printed on the way goes to stderr."""
    words = ["fit", str(photos), "--latency-ms", str(budget), "--minutes", str(minutes), "--threads", str(threads)]
    began = time.monotonic()
    child = subprocess.run(
        [sys.executable, "-m", "linnet", *words, "--out", str(folder), "--json"], stdout=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    seconds = time.monotonic() - began
    if child.returncode:
        return {"budget_ms": budget, "seconds": round(seconds, 1), "failed": child.returncode}
    found = json.loads(child.stdout)
    tried = found["candidates"]["tried"]
    times = [again(Path(found["bundle"]), tried[-1]["way"], threads=threads, limit=None)[0] for _ in range(PROCESSES)]
    return {
        "budget_ms": budget,
        "seconds": round(seconds, 1),
        "search_seconds": found["candidates"]["seconds"],
        "network": found["arch"],
        "image": tried[-1]["image"],
        "way": tried[-1]["way"],
        "train_image": found["candidates"]["train_image"],
        "epochs": found["candidates"]["epochs"],
        "again_ms": times,
        "median_ms": statistics.median(times),
        "held": max(times) <= budget,
        "size_bytes": tried[-1]["size_bytes"],
        "validation": tried[-1]["accuracy"],
        "test": found["certificate"]["accuracy"]["runtime"]["top1"],  # of the file that is shipped
        "test_interval": found["certificate"]["accuracy"]["runtime"]["interval"],
        "n_test": found["metrics"]["n"],
        "certificate": found["certificate"]["accuracy"],
        "tried": tried,
        "options": found["candidates"]["options"],
        "why": found["candidates"]["why"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--budgets", type=float, nargs="+", default=BUDGETS)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULT)
    given = parser.parse_args()
    rows, began = list[dict[str, Any]](), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for budget in given.budgets:
            rows.append(fit(given.photos, budget, given.minutes, given.threads, Path(folder) / f"{budget:g}ms"))
            # Written after each: a later one that is cut off loses nothing of the others.
            write_json(given.out, {**about(), "minutes": given.minutes, "rows": rows,
                                   "seconds": round(time.monotonic() - began, 1)})  # fmt: skip
            row = rows[-1]
            print(
                f"{budget:g} ms: failed" if "failed" in row else
                f"{budget:g} ms: {row['network']} {row['image']} px on {row['way']}, {row['median_ms']:.2f} ms again"
                f" ({'held' if row['held'] else 'NOT held'} in {PROCESSES} processes), test {100 * row['test']:.1f} %,"
                f" {row['seconds']:.0f} s",
                flush=True,
            )  # fmt: skip
    print(f"in all {time.monotonic() - began:.0f} s; {given.out}")


if __name__ == "__main__":
    main()
