import dataclasses

import numpy as np
import pytest

from linnet.data.preprocess import Preprocess
from linnet.deploy.bundle import Runtime, read_bundle
from linnet.deploy.card import learnt_from, licence, plain, preparation, table


def test_the_card_of_a_bundle(sealed):
    text = (sealed / "README.md").read_text(encoding="utf-8")
    facts = read_bundle(sealed).facts
    assert text.startswith("# mobilenetv3_small_035\n")
    assert f"**{100 * facts['metrics']['top1']:.1f} %** (95 % interval" in text
    assert "on 19 test photos, which chose nothing;" in text
    assert "python predict.py photo.jpg" in text
    assert "With Python 3.10 or newer:" in text
    assert "Fine-tuned from somewhere.in1k, which is under Apache-2.0" in text
    assert "- read in the file LICENSE of a package" in text
    assert "Photos: 8 for train, 8 for validation. In train each class has 2." in text
    assert "fewer than 10 photos, so hardly known: waves, dots, checks, lines." in text
    assert "| waves | 5 |" in text
    assert "accuracy drop 0.0 points, at most 14.6, n = 19 (one-sided 95 % bound)" in text
    assert "{" not in text.replace("`", "")
    assert max(map(len, text.splitlines())) < 500


def test_memory_is_said_where_it_is_known(sealed):
    said = read_bundle(sealed).certificates[0]
    text = (sealed / "README.md").read_text(encoding="utf-8")
    if "memory" in said:
        assert f", taking {said['memory']['peak_bytes'] / 1e6:.0f} MB of memory in all." in text
    onnx, bf16 = Runtime("onnx", "fp32", "model.onnx"), Runtime("openvino", "bf16", "openvino/model.xml")
    known = {"size_bytes": 6_000_000, "latency": {"median_ms": 1.25}, "memory": {"peak_bytes": 123_400_000}}
    rows = table((onnx, bf16), (known, {**known, "memory": None})).splitlines()
    assert rows[3] == "| ONNX Runtime | fp32 | 6.0 MB | 123 MB | 1.2 ms | `--runtime onnx` |"
    assert rows[4] == "| OpenVINO | bf16 | 6.0 MB | – | 1.2 ms | `--runtime openvino-bf16` |"


def test_the_preparation_it_describes_is_the_one_that_is_done(sealed):
    p = read_bundle(sealed).preprocess
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    by_hand = (pixels / 255 - np.array(p.mean)) / np.array(p.std)
    assert np.allclose(p.normalise(pixels), by_hand.transpose(2, 0, 1), atol=1e-5)
    words = preparation(p)
    assert words.startswith("turned upright by EXIF, the short side brought to 73 pixels (bicubic), the middle 64 x 64")
    assert words.endswith("RGB, divided by 255, less (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225)")
    squash = preparation(dataclasses.replace(p, mode="squash", upright=False, channels="BGR"))
    assert squash.startswith("brought to 64 x 64 pixels (bicubic), BGR")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("a|b", "a\\|b"), ("<img src=x>", "&lt;img src=x>"), ("two\nlines", "two lines"), ("R&D", "R&amp;D")],
)
def test_names_cannot_break_the_table(name, shown):
    assert plain(name) == shown


def test_licence():
    assert "Trained from scratch" in licence({})
    for facts in ({"source": "/home/me/x.safetensors"}, {"licence": {"name": "unknown", "read_in": []}, "source": "x"}):
        assert "weights of a file, whose licence is unknown" in licence(facts)
    assert licence({"licence": "MIT"}).startswith("Fine-tuned from pretrained weights, which is under MIT;")


def test_learnt_from():
    assert learnt_from({}) == "The run that made it left no list of its photos."
    counts = {"train": {"a": 1200, "b": 30}, "test": {"a": 5, "b": 5}}
    assert learnt_from(counts, several=True).startswith("Labels of photos: 1,230 for train")
    assert learnt_from(counts) == "Photos: 1,230 for train, 10 for test. In train the classes have 30 (b) to 1,200 (a)."


def test_default_preprocess_is_described():
    assert "256 pixels" in preparation(Preprocess())
