"""A run folder made by hand: every part that a report can show, in the form that the other folders write it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from linnet.evaluation.metrics import measure

NAMES = ("dress", "hat", "longsleeve", "outwear", "pants", "shirt", "shoes", "shorts", "skirt", "t-shirt")


def write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def names_for(n: int) -> list[str]:
    return [NAMES[i] if i < len(NAMES) else f"species number {i:03d}" for i in range(n)]


def photo(path: Path, i: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = np.linspace(0, 255, 160).astype(np.uint8)
    rows = np.broadcast_to(grid[:, None], (160, 200)) if i % 2 else np.broadcast_to(grid[::-1, None], (160, 200))
    Image.fromarray(np.stack([rows, np.full_like(rows, 37 * i % 255), 255 - rows], 2)).save(path, quality=80)


def predictions(names: list[str], n: int, root: Path) -> dict:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % len(names)
    logits = rng.normal(0, 1.2, (n, len(names))).astype(np.float32)
    logits[np.arange(n), labels] += 4.0
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    items = [
        {
            "path": f"test/{names[labels[i]].replace('/', '_')}/{i:04d}.jpg",
            "label": int(labels[i]),
            "predicted": int(logits[i].argmax()),
            "confidence": float(shares[i].max()),
        }
        for i in range(n)
    ]
    wrong = sorted((i for i in items if i["label"] != i["predicted"]), key=lambda i: -i["confidence"])
    for i, item in enumerate(wrong[:11]):  # the twelfth is missing
        photo(root / item["path"], i)
    return {"split": "test", "classes": names, "metrics": measure(logits, labels).to_json(), "items": items}


def diagnosis(names: list[str], root: Path) -> dict:
    findings = [
        (".DS_Store", "ignored", "a leftover of macOS"),
        ("train/hat/page.jpg", "quarantined", "not an image (looks like HTML); Linnet reads JPEG, PNG, WEBP"),
        ("train/hat/cut.jpg", "quarantined", "the JPEG is truncated: its end is missing; copy it again"),
        ("train/shirt/zero.jpg", "quarantined", "the file is empty (0 bytes)"),
        ("train/shirt/again.jpg", "left out", "the same picture as test/shirt/0005.jpg"),
        *((f"train/dress/{i:04d}.jpg", "note", "CMYK colours converted to RGB") for i in range(5)),
    ]
    return {
        "schema": 1,
        "root": str(root),
        "classes": names,
        "counts": {
            s: {name: n + i for i, name in enumerate(names)}
            for s, n in (("train", 240), ("validation", 30), ("test", 37))
        },
        "bad": {name: 2 if name == "hat" else int(name == "shirt") for name in names},
        "bad_share": 0.001,
        "imbalance": 3.4,
        "sizes": {
            "width": {"min": 160, "median": 400, "max": 1200},
            "height": {"min": 200, "median": 534, "max": 1600},
        },
        "problems": [],
        "findings": [{"path": p, "verdict": v, "reason": r, "label": ""} for p, v, r in findings],
    }


def recipe(photos: Path) -> dict:
    from linnet.training.ingredients import AdamW
    from linnet.training.progressive import progressive
    from linnet.training.recipe import Recipe

    phases = progressive(8, stages=4, image=(96, 160), batch=(64, 48, 32, 32))
    return Recipe(
        arch="mobilenetv3_small_100",
        photos=str(photos),
        phases=phases,
        optimizer=AdamW(lr=0.002),
        precision="bf16",
        memory_format="channels_last",
        workers=2,
        threads=2,
    ).to_json()


def log_lines(phases: list[dict]) -> list[dict]:
    lines: list[dict] = [
        {"kind": "note", "text": "measured", "memory_format": layout, "precision": number, "images_per_second": speed}
        for layout, number, speed in (
            ("contiguous", "fp32", 208.1),
            ("channels_last", "fp32", 348.0),
            ("channels_last", "bf16", 440.5),
        )
    ]
    epoch, total = 0, sum(p["epochs"] for p in phases)
    for phase, row in enumerate(phases):
        for _ in range(row["epochs"]):
            for step in range(0, 60, 3):
                t = (epoch + step / 60) / total
                loss = 0.45 + 2.1 * np.exp(-4 * t) + 0.12 * np.sin(13.0 * step + epoch)
                lines.append({"kind": "step", "epoch": epoch, "step": step, "loss": loss,
                              "lr": 0.002 * min(1, 8 * t) * (1 + np.cos(np.pi * t)) / 2, "image": row["image"],
                              "images_per_second": 300.0, "gradient_norm": 1.0, "time": 100.0 + t})  # fmt: skip
            top1 = 0.93 - 0.75 * np.exp(-0.6 * (epoch + 1))
            lines.append({"kind": "epoch", "epoch": epoch, "phase": phase, "image": row["image"], "train_loss": loss,
                          "train_top1": top1 - 0.03, "lr": 0.001, "seconds": 21.5,
                          "validation": {"top1": top1, "top5": 0.99, "loss": 1.9 * np.exp(-0.5 * (epoch + 1)) + 0.22,
                                         "interval": [top1 - 0.03, top1 + 0.025]}})  # fmt: skip
            epoch += 1
    lines.append({"kind": "note", "text": "Epoch 7 was the best by validation."})
    lines.append({"kind": "end", "raw": {"top1": 0.875, "top5": 0.99, "loss": 0.4, "interval": [0.84, 0.905], "n": 341},
                  "dead": [{"row": "stem.0", "kernels": [0, 0], "scales": [1, 16]},
                           {"row": "stages.0", "kernels": [3, 88], "scales": [0, 200]},
                           {"row": "stages.1", "kernels": [0, 96], "scales": [0, 240]}]})  # fmt: skip
    return lines


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """make_run(n_classes=10, n=372, names=None) writes a whole run folder and returns it."""

    def make(n_classes: int = 10, n: int = 372, names: list[str] | None = None, folder: str = "run") -> Path:
        names = names or names_for(n_classes)
        run, photos = tmp_path / folder, tmp_path / "clothing"
        settings = recipe(photos)
        write(run / "recipe.json", settings)
        write(run / "environment.json", ENVIRONMENT)
        write(run / "data.json", diagnosis(names, photos))
        write(run / "predictions.json", predictions(names, n, photos))
        (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log_lines(settings["phases"])))
        write_bundle(run / "run.linnet", names)
        return run

    return make


ENVIRONMENT = {
    "python": "3.11.2",
    "packages": {"linnet-vision": "0.1.0", "torch": "2.14.1", "numpy": "2.3.5"},
    "system": "Linux x86_64",
    "processor": "AMD EPYC 7B13",
    "cores": 2,
    "kernels": "AVX2",
    "device": "cpu",
    "weights": {"pretrained": "tf_efficientnet_lite0.in1k", "licence": {"name": "Apache-2.0", "read_in": ["LICENSE"]}},
}


def write_bundle(folder: Path, names: list[str]) -> None:
    from linnet.arch.names import find
    from linnet.data.preprocess import Preprocess
    from linnet.deploy.bundle import seal
    from linnet.files import sha256_file

    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"x" * 6_112_345)
    (folder / "weights.safetensors").write_bytes(b"y")
    (folder / "predict.py").write_text("")
    facts = {
        "name": "run",
        "arch": find("mobilenetv3_small_100").with_classes(len(names)).to_json(),
        "classes": names,
        "preprocess": Preprocess(image=160).to_json(),
        "runtimes": [{"runtime": "onnx", "precision": "fp32", "file": "model.onnx"}],
        "certificates": [
            {
                "runtime": "onnx",
                "precision": "fp32",
                "sha256": sha256_file(folder / "model.onnx"),
                "passed": True,
                "size_bytes": 6_112_345,
                "images": {"split": "test", "n": 372, "sha256": "ab" * 32, "not_read": 1},
                "n": 372,
                "largest_logit_difference": 3.1e-5,
                "logit_spread": 2.4,
                "top1_agreement": 1.0,
                "tolerance": {"logit_difference": 0.001, "agreement": 0.999},
                "accuracy": {
                    "network": {"top1": 0.935, "interval": [0.905, 0.956]},
                    "runtime": {"top1": 0.935, "interval": [0.905, 0.956]},
                },
                "drop": {"drop": 0.0, "at_most": 0.008, "n": 372, "lost": 0, "won": 0},
                "latency": {
                    "batch": 1,
                    "image": 160,
                    "threads": 2,
                    "p10_ms": 2.6,
                    "median_ms": 2.71,
                    "p90_ms": 2.93,
                    "p99_ms": 3.4,
                    "calls": 500,
                },
                "machine": {"processor": "AMD EPYC 7B13", "cores": 2, "cores_usable": 2, "system": "Linux 6.1 x86_64"},
                "versions": {"python": "3.11.2", "onnxruntime": "1.23.2", "torch": "2.14.1"},
                "date": "2026-11-22T09:00:00Z",
            }
        ],
    }
    seal(folder, facts)
