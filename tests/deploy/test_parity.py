"""What reaches the network or the runtime, bit for bit: training's validation, evaluation, Classifier, the bundle's predict.py.

docs/reference/parity.md is the table of this.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from linnet.data.image import read_size
from linnet.data.loader import eval_batches
from linnet.data.pack import pack
from linnet.data.source import find_photos
from linnet.deploy.bundle import read_bundle
from linnet.deploy.classifier import Classifier
from linnet.evaluation.evaluate import predict_logits
from linnet.training.validate import validate


def write_odd(folder: Path, nasty) -> None:
    """Pictures on which careless preprocessing differs, as JPEG, PNG, WebP and more; all different from each other."""
    rng = np.random.default_rng(0)

    def noise(wide: int, high: int, channels: int = 3, kind=np.uint8) -> np.ndarray:
        return rng.integers(0, np.iinfo(kind).max + 1, (high, wide, channels), kind)

    def smooth(wide: int, high: int) -> Image.Image:
        return nasty.picture(int(rng.integers(10**6)), wide, high)

    places = {kind: folder / kind for kind in ("plain", "odd")}
    for place in places.values():
        place.mkdir(parents=True)
    odd = places["odd"]
    for ending, kind in (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP")):
        for turn in range(1, 9):
            (odd / f"turned{turn}.{ending}").write_bytes(nasty.turned(100 * turn + len(kind), turn, kind))
        for wide, high in ((1, 1), (1, 500), (301, 3), (97, 61), (640, 427)):
            image = Image.fromarray(noise(wide, high)) if wide * high < 2000 else smooth(wide, high)
            image.save(places["plain"] / f"{wide}x{high}.{ending}", kind)
        Image.fromarray(noise(70, 50)[..., 0]).save(odd / f"grey.{ending}", kind)
    smooth(90, 70).convert("CMYK").save(odd / "cmyk.jpg")
    smooth(2600, 1900).save(places["plain"] / "large.jpg")  # decoded at a scale
    smooth(900, 700).save(odd / "progressive.jpg", progressive=True)
    smooth(91, 71).save(odd / "subsampled.jpg", quality=30, subsampling=2)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    smooth(92, 72).save(odd / "profile.jpg", icc_profile=profile)
    for ending in ("png", "webp"):
        Image.fromarray(noise(80, 60, 4)).save(odd / f"clear.{ending}", lossless=True)
    Image.fromarray(noise(80, 60, 2)).save(odd / "grey_clear.png")
    smooth(60, 80).quantize(16).save(odd / "palette.png", transparency=3)
    Image.fromarray(noise(64, 48, 1, np.uint16)[..., 0]).save(odd / "deep_grey.png")
    rows = noise(40, 30, 3, np.uint16).astype(">u2")
    (odd / "deep.png").write_bytes(nasty.png(40, 30, b"".join(b"\0" + row.tobytes() for row in rows), bits=16))
    (odd / "interlaced.png").write_bytes(nasty.interlaced_png(noise(33, 27)))
    smooth(60, 50).save(odd / "animated.gif", save_all=True, append_images=[smooth(60, 50)])
    Image.frombytes("LAB", (60, 50), noise(60, 50).tobytes()).save(odd / "lab.tif")


class Spy(torch.nn.Module):
    """A network that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen += list(images.clone())
        return torch.zeros(len(images), 2)

    def hashes(self) -> list[str]:
        return [hashed(image.contiguous().numpy()) for image in self.seen]


def hashed(image: np.ndarray) -> str:
    assert image.dtype == np.float32
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()


OTHER_PROCESS = """
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
from predict import Classifier
import numpy as np
classifier, found = Classifier(sys.argv[1]), []
run = classifier.run
def seen(images):
    found.extend(hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest() for image in images)
    return run(images)
classifier.run = seen
bad = [one.error for one in classifier.predict_all(sys.argv[2:]) if one.error]
print(json.dumps([found, bad, sorted({"torch", "linnet", "torchvision"} & set(sys.modules))]))
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory, nasty):
    folder = tmp_path_factory.mktemp("odd") / "photos"
    write_odd(folder, nasty)
    return folder


def test_no_bit_differs_between_the_four_paths(sealed, odd, monkeypatch):
    preprocess = read_bundle(sealed).preprocess
    photos = find_photos(odd, validation=0, test=0)
    paths = [photo.path for photo in photos.train]
    assert len(paths) == len([path for path in odd.rglob("*") if path.is_file()]) == 56

    training, evaluation, classifying = Spy(), Spy(), Classifier(sealed, threads=1)
    run = SimpleNamespace(
        photos=replace(photos, validation=photos.train), preprocess=preprocess, ema=SimpleNamespace(net=training),
        recipe=SimpleNamespace(eval_batch=5, workers=0),
    )  # fmt: skip
    validate(run)  # type: ignore[arg-type]
    predict_logits(evaluation, photos.train, preprocess, batch=7, workers=0, device="cpu")
    classifier: list[str] = []
    answer = classifying.run
    monkeypatch.setattr(classifying, "run", lambda images: [classifier.extend(map(hashed, images)), answer(images)][1])
    assert not [one.error for one in classifying.predict_all(paths) if one.error]
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", OTHER_PROCESS, sealed, *paths], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    alone, bad, heavy = json.loads(done.stdout)
    assert (bad, heavy) == ([], [])
    wanted = [hashed(preprocess.normalise(preprocess.read(path))) for path in paths]
    for name, found in (
        ("training", training.hashes()), ("evaluation", evaluation.hashes()), ("Classifier", classifier),
        ("predict.py", alone),
    ):  # fmt: skip
        assert [path.name for path, one, other in zip(paths, found, wanted, strict=True) if one != other] == [], name


def test_a_pack_keeps_small_pictures_and_changes_large_ones_by_design(sealed, odd, tmp_path):
    """A picture no larger than the pack's side is kept pixel by pixel; a larger one was resized before."""
    preprocess = read_bundle(sealed).preprocess
    packed = find_photos(pack(odd, image=128, out=tmp_path / "packed").folder, validation=0, test=0)
    small, large = [], []
    for batch in eval_batches(packed.train, preprocess, batch=8, workers=0):
        for place, pixels in zip(batch.index.tolist(), batch.images.numpy(), strict=True):
            one = packed.train[place].packed
            original = odd / packed.train[place].path.relative_to(packed.root)
            off = np.abs(preprocess.read(original).astype(int) - pixels)
            (large if min(read_size(original)) > 128 else small).append((original.name, off.mean(), one))
    assert len(small) > 40
    assert {name for name, off, _ in small if off > 0} == set()
    assert {name for name, _, _ in large} == {
        "640x427.jpg", "640x427.png", "640x427.webp", "large.jpg", "progressive.jpg"
    }  # fmt: skip
    assert all(off < 3 for _, off, _ in large), large
