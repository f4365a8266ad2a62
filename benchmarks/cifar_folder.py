"""CIFAR-10 as folders of PNG files, which both sides of a comparison read: `python cifar_folder.py cifar10.npz FOLDER`.

The file holds train_images, train_labels, test_images, test_labels as arrays of bytes. Of the training pictures every
tenth becomes validation and `--train N` of the others stay; PNG loses nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("arrays", type=Path)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--train", type=int, default=45_000)
    given = arguments.parse_args()
    arrays, numbers = np.load(given.arrays), np.arange(50_000)
    held_out = numbers % 10 == 0
    parts = {
        "train": ("train", numbers[~held_out][: given.train]),
        "validation": ("train", numbers[held_out]),
        "test": ("test", np.arange(10_000)),
    }
    for split, (name, chosen) in parts.items():
        images, labels = arrays[f"{name}_images"], arrays[f"{name}_labels"]
        for label in CLASSES:
            (given.folder / split / label).mkdir(parents=True)
        for i in chosen:
            Image.fromarray(images[i]).save(given.folder / split / CLASSES[labels[i]] / f"{i:05d}.png")


if __name__ == "__main__":
    main()
