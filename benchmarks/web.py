"""A bundle's page in Chromium beside the bundle in Python, on the same photos: what decoding changes, and what WebAssembly costs.

    python benchmarks/web.py runs/photos/photos.linnet photos/test          # a folder per class

Needs Chromium. Both sides compute in one thread; times are of the model alone, in turns: Python, page, Python, page, ...
Writes benchmarks/results/web.json and prints it.
"""

from __future__ import annotations

import functools
import json
import sys
import tempfile
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from about import about

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from chromium import Chromium

from linnet.data.image import open_image
from linnet.deploy.classifier import Classifier
from linnet.deploy.web.folder import web
from linnet.evaluation.intervals import wilson

OPEN = """(async () => {
  const facts = await (await fetch("facts.json")).json();
  const [{ openModel, logitsOf, runner }, { pixelsOf }, { read }, { measure }] = await Promise.all(
    ["model", "preprocess", "picture", "measure"].map((name) => import(`./${name}.js`)));
  const model = await openModel(facts);
  window.pixels = async (name) => pixelsOf(facts.preprocess, await read(await (await fetch(`photos/${name}`)).blob()));
  window.logits = async (name) => [...await logitsOf(model, await pixels(name))];
  window.time = async () => measure(runner(model, await pixels("0")), { seconds: 5 });
  return true;
})()"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def python_time(classifier: Classifier, pixels: np.ndarray) -> float:
    """The median of 5 seconds of single pictures, in ms."""
    times = []
    end = time.perf_counter() + 5
    while time.perf_counter() < end:
        start = time.perf_counter()
        classifier.logits(pixels[None])
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times))


def compare(bundle: Path, photos: Path) -> dict:
    files = sorted(path for path in photos.glob("*/*") if path.is_file())
    classifier = Classifier(bundle, threads=1, runtime="onnx")
    how = classifier.preprocess
    reduced = np.stack([how.read(path) for path in files])  # as `linnet predict`: large JPEGs at a reduced scale
    full = np.stack([how.pixels(open_image(path, upright=how.upright)) for path in files])
    wanted = [np.concatenate([classifier.logits(one[None]) for one in pixels]) for pixels in (reduced, full)]
    with tempfile.TemporaryDirectory() as folder:
        page = web(bundle, out=Path(folder) / "page").folder
        (page / "photos").mkdir()
        for number, path in enumerate(files):
            (page / "photos" / str(number)).write_bytes(path.read_bytes())
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(page)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        chromium = Chromium(Path(folder) / "profile")
        chromium.open(f"http://127.0.0.1:{server.server_port}/")
        chromium.wait("/^Ready/.test(document.getElementById('state')?.textContent)")
        chromium.say(OPEN)
        found = np.array([chromium.say(f"logits('{number}')") for number in range(len(files))])
        seen = np.stack([np.array(chromium.say(f"pixels('{n}').then((p) => [...p])"), np.uint8) for n in range(20)])
        turns = [(python_time(classifier, full[0]), chromium.say("time()")["median"]) for _ in range(5)]
        chromium.close()
        server.shutdown()
    truth = np.array([classifier.classes.index(path.parent.name) for path in files])
    n = len(files)

    def shares(logits: np.ndarray) -> np.ndarray:
        powers = np.exp(logits - logits.max(1, keepdims=True))
        return powers / powers.sum(1, keepdims=True)

    def against(other: np.ndarray) -> dict:
        same = int((found.argmax(1) == other.argmax(1)).sum())
        off = np.abs(shares(found) - shares(other)).max(1)
        return {
            "same first answer": same, "of": n, "interval": wilson(same, n),
            "largest difference of a probability": {"median": float(np.median(off)), "p99": float(np.quantile(off, 0.99)), "most": float(off.max())},
        }  # fmt: skip

    steps = np.abs(seen.reshape(20, -1).astype(int) - full[:20].reshape(20, -1))
    return {
        **about(),
        "bundle": {"name": classifier.name, "image": how.image},
        "right": {"page": int((found.argmax(1) == truth).sum()), "predict": int((wanted[0].argmax(1) == truth).sum()), "of": n},
        "page against predict": against(wanted[0]),
        "page against Python with JPEGs decoded whole": against(wanted[1]),
        "pixels of 20 photos against those, in steps of 255": {"mean": float(steps.mean()), "most": int(steps.max()), "share that differ": float((steps > 0).mean())},
        "ms, one thread, medians in turns": {"Python": [a for a, _ in turns], "page": [b for _, b in turns], "ratio": float(np.median([b / a for a, b in turns]))},
    }  # fmt: skip


if __name__ == "__main__":
    result = compare(Path(sys.argv[1]), Path(sys.argv[2]))
    place = Path(__file__).parent / "results" / "web.json"
    place.write_text(json.dumps(result, indent=1) + "\n")
    print(place.read_text())
