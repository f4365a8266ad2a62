"""A bundle's time and memory in a process of its own, without torch: what who uses it will see."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import numpy as np

from ..errors import ProofError

SECONDS = 2.0  # of timed calls in a process
PROCESSES = (
    3  # at most; other work on the machine only slows, so the quickest counts, and one within the limit is enough
)
PATIENCE = 180  # seconds for a process


def again(bundle: Path, way: str, *, threads: int, limit: float | None) -> tuple[float, int]:
    """Median milliseconds of a call with one picture in a new process, and how many processes it took.

    Up to PROCESSES are asked, until one is within `limit`; the lowest counts.
    Raises: ProofError when none comes to an answer.
    """
    found, why = list[float](), ""
    command = [sys.executable, "-m", "linnet.nas.again", str(bundle.absolute()), way, str(threads)]
    for _ in range(PROCESSES):
        try:
            child = subprocess.run(
                command, capture_output=True, timeout=PATIENCE, check=False, text=True, cwd=Path(__file__).parents[2]
            )
            found.append(float(json.loads((child.stdout.splitlines() or [""])[-1])["median_ms"]))
        except subprocess.TimeoutExpired:
            why = f"no answer in {PATIENCE} seconds"
            continue
        except (ValueError, KeyError, TypeError):
            why = (child.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]
            continue
        if limit is None or found[-1] <= limit:
            break
    if not found:
        raise ProofError(
            f"{bundle}: cannot be run on {way} in a new process ({why}). To look at it: linnet export RUN --to {way}"
        )
    return min(found), len(found)


def main(words: list[str]) -> None:
    """In the new process: a bundle's folder, a way, threads; JSON on standard output."""
    from ..deploy.bench.timing import Block, one_at_a_time, warm_up
    from ..deploy.classifier import Classifier

    folder, way, threads = words
    one = Classifier(folder, threads=int(threads), runtime=way)
    side = one.preprocess.image
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (1, side, side, 3), np.uint8)
    image = pixels if one.uint8 else one.preprocess.normalise(pixels)

    def turn(seconds: float) -> Block:
        return one_at_a_time(lambda: one.run(image), seconds)

    warm_up(turn, SECONDS / 10)
    block = turn(SECONDS)
    print(json.dumps({"median_ms": 1000 * statistics.median(block.calls), "calls": len(block.calls)}))


if __name__ == "__main__":
    main(sys.argv[1:])
