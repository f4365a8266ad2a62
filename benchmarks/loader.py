"""Decode and augment: Linnet's loader, from files and from packed pictures, beside timm's, in one run, alternating.

`python benchmarks/loader.py PHOTOS`

Both give normalised float32 batches of random resized crops with flip and RandAugment (magnitude 9 +- 0.5, two layers,
increasing), bicubic. A block is one epoch from its start to its last batch, so what a loader spends on starting counts.
PHOTOS is a folder with train/ and a folder per class. The packed pictures have a short side of 1.4 times the image, as
first recipes have it; how long packing takes is said apart. Needs timm.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import timm
import timm.data
import torch
from about import about
from PIL import Image, ImageOps

from linnet.data.augment import Augment
from linnet.data.loader import train_batches
from linnet.data.pack import write_packed
from linnet.data.preprocess import Preprocess
from linnet.data.shard import Packed
from linnet.files import write_json

RESULT = Path(__file__).parent / "results" / "loader.json"


class Photo(NamedTuple):
    path: Path
    label: int
    packed: Packed | None = None
    mended: None = None
    target = property(lambda self: self.label)


def posterize(picture: Image.Image, bits: int, **_: object) -> Image.Image:
    return ImageOps.posterize(picture, max(1, bits))


# timm asks for 0 bits now and then at this magnitude, which Pillow 13 refuses.
timm.data.auto_augment.NAME_TO_OP["PosterizeIncreasing"] = posterize


def timms(photos: list[Photo], image: int, batch: int, workers: int) -> Callable[[int], Iterable[torch.Tensor]]:
    """timm's loader as its training script makes it: uint8 from the workers, normalised by its PrefetchLoader."""
    samples = [(str(photo.path), photo.label) for photo in photos]
    dataset = timm.data.ImageDataset(str(photos[0].path.parent), reader=Listed(samples))
    loader = timm.data.create_loader(
        dataset,
        (3, image, image),
        batch,
        is_training=True,
        auto_augment="rand-m9-mstd0.5-inc1",
        interpolation="bicubic",
        num_workers=workers,
        persistent_workers=workers > 0,
        device=torch.device("cpu"),
    )
    return lambda epoch: (images for images, _ in loader)


class Listed(timm.data.readers.reader.Reader):
    """These very photos, so that both loaders read the same files."""

    def __init__(self, samples: list[tuple[str, int]]) -> None:
        super().__init__()
        self.samples = samples

    def __getitem__(self, index: int) -> tuple[object, int]:
        path, label = self.samples[index]
        return open(path, "rb"), label  # timm opens it so, too

    def __len__(self) -> int:
        return len(self.samples)

    def _filename(self, index: int, basename: bool = False, absolute: bool = False) -> str:
        return self.samples[index][0]


def linnets(photos: list[Photo], image: int, batch: int, workers: int) -> Callable[[int], Iterable[torch.Tensor]]:
    augment, value = Augment(image, randaugment=9), Preprocess()
    mean, std = (torch.tensor(numbers).view(3, 1, 1) * 255 for numbers in (value.mean, value.std))

    def epoch_of(epoch: int) -> Iterable[torch.Tensor]:
        for given in train_batches(photos, augment, seed=0, epoch=epoch, batch=batch, workers=workers):
            yield given.images.permute(0, 3, 1, 2).float().sub_(mean).div_(std)

    return epoch_of


def images_per_second(epoch_of: Callable[[int], Iterable[torch.Tensor]], epoch: int) -> float:
    start, n = time.perf_counter(), 0
    for images in epoch_of(epoch):
        n += len(images)
    return n / (time.perf_counter() - start)


def compare(
    photos: list[Photo], packed: list[Photo], image: int, batch: int, workers: int, blocks: int
) -> dict[str, object]:
    loaders = {
        "timm": timms(photos, image, batch, workers),
        "linnet": linnets(photos, image, batch, workers),
        "packed": linnets(packed, image, batch, workers),
    }
    speeds: dict[str, list[float]] = {name: [] for name in loaders}
    for block in range(blocks + 1):
        for name in loaders if block % 2 else reversed(loaders):
            speed = images_per_second(loaders[name], block)
            if block:  # the first warms up: page cache, imports of the workers
                speeds[name].append(round(speed, 1))
    ratios = {
        f"{name}_ratio": [round(ours / theirs, 3) for ours, theirs in zip(speeds[name], speeds["timm"], strict=True)]
        for name in ("linnet", "packed")
    }
    return {"workers": workers, **speeds, **ratios}


def pack(photos: list[Photo], folder: Path, side: int) -> tuple[list[Photo], dict[str, float]]:
    """The photos, to be read from `folder`; and what packing them took."""
    start = time.perf_counter()
    found = write_packed(folder, [("train", photo) for photo in photos], side)  # type: ignore[list-item]
    took = time.perf_counter() - start
    size = sum(path.stat().st_size for path in folder.iterdir())
    facts = {"short_side": side, "seconds": round(took, 1), "bytes": size}
    return [
        photo._replace(packed=one) for photo, one in zip(photos, found, strict=True) if isinstance(one, Packed)
    ], facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--image", type=int, default=128)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--limit", type=int, default=2048, help="how many photos an epoch has")
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    torch.set_num_threads(1)
    folders = sorted(path for path in (given.photos / "train").iterdir() if path.is_dir())
    everything = [Photo(path, label) for label, folder in enumerate(folders) for path in sorted(folder.glob("*.jpg"))]
    photos = everything[:: max(1, len(everything) // given.limit)][: given.limit]
    rows, facts = [], about()  # with the load when this began: above 1, run it again
    middle = partial(map, statistics.median)
    with tempfile.TemporaryDirectory() as folder:
        packed, packing = pack(photos, Path(folder), round(1.4 * given.image))
        print(f"packed {len(packed)} photos: {packing}")
        print(
            "| workers | timm images/s | Linnet from | images/s | ratio | lowest to highest |\n|---|---|---|---|---|---|"
        )
        for workers in given.workers:
            rows.append(row := compare(photos, packed, given.image, given.batch, workers, given.blocks))
            for name, source in (("linnet", "files"), ("packed", "a pack")):
                ratios = row[f"{name}_ratio"]
                theirs, ours, ratio = middle((row["timm"], row[name], ratios))  # type: ignore[arg-type]
                spread = f"{min(ratios):.2f} to {max(ratios):.2f}"  # type: ignore[call-overload]
                print(f"| {workers} | {theirs:.0f} | {source} | {ours:.0f} | {ratio:.2f} | {spread} |", flush=True)
    setting = {"image": given.image, "batch": given.batch, "photos": len(photos), "blocks": given.blocks}
    result = {
        "about": facts,
        "packing": packing,
        "setting": {**setting, "augmentation": "random resized crop, flip, rand-m9-mstd0.5-inc1, bicubic"},
        "rows": rows,
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_json(RESULT, result)


if __name__ == "__main__":
    main()
