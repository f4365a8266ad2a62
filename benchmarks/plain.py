"""The scripts that a careful person writes today with timm and torchvision: the other side of the comparisons.

Each gets what helps it: channels-last, bf16 where it measures faster, two loader workers, an average of the weights, a
one-cycle schedule of its own length. The loader is torchvision's ImageFolder (Pillow, whole JPEGs).
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import timm
import torch
from timm.utils import ModelEmaV3
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder
from torchvision.transforms import InterpolationMode

BICUBIC = InterpolationMode.BICUBIC


@dataclass(frozen=True)
class Plain:
    network: str
    image: int
    epochs: int
    lr: float
    seed: int
    weights: dict[str, torch.Tensor] | None = None  # timm's names; none: from scratch
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    crop_area: tuple[float, float] = (0.35, 1.0)
    batch: int = 64
    weight_decay: float = 0.05
    smoothing: float = 0.1
    ema: float = 0.99
    augmentation: str = "trivial"  # or "rand": RandAugment 2, 7; or "none"
    warmup: float = 0.2  # share of the schedule
    crop: float = 0.875  # of the resized short side, in evaluation
    small: bool = False  # pictures of 32 pixels: without the network's first two strides


def network(name: str, small: bool) -> nn.Module:
    """timm's model as it comes; for `small` pictures a mobile network keeps the resolution in its first two strides."""
    net = timm.create_model(name)
    if small:
        strided = [m for m in net.modules() if isinstance(m, nn.Conv2d) and m.stride == (2, 2)]
        strided[0].stride = strided[1].stride = (1, 1)
    return net


FORMS = ("contiguous fp32", "channels_last fp32", "channels_last bf16")
STEPS = 16  # of a training that is only looked at; the first four do not count


def measure_formats(photos: Path, plain: Plain) -> dict[str, float]:
    """Images per second in each layout and precision: the script itself for STEPS steps, two rounds, the better counts.

    A step alone says too little: beside two loader workers bf16 was a third slower than float32 on a machine where its
    step was as fast.
    """
    found = dict.fromkeys(FORMS, 0.0)
    for _ in range(2):
        for form in FORMS:
            found[form] = max(found[form], train_plain(photos, plain, form, steps=STEPS)["images_per_second"])
    return found


def train_plain(photos: Path, plain: Plain, form: str, *, steps: int = 0) -> dict[str, float]:
    """Train by `plain` in the layout and precision `form`; seconds from the first look at the folder to the last
    validation, and the accuracies of the averaged or the raw weights, whichever are better on validation. With `steps` it
    stops after so many, and says how fast they were."""
    began = time.perf_counter()
    torch.manual_seed(plain.seed)
    shape = torch.channels_last if form.startswith("channels_last") else torch.contiguous_format
    bf16 = form.endswith("bf16")
    normal = transforms.Normalize(plain.mean, plain.std)
    strong = {"trivial": [transforms.TrivialAugmentWide()], "rand": [transforms.RandAugment(2, 7)], "none": []}
    changes = [transforms.RandomResizedCrop(plain.image, plain.crop_area, interpolation=BICUBIC),
             transforms.RandomHorizontalFlip(), *strong[plain.augmentation], transforms.ToTensor(), normal]  # fmt: skip
    train = ImageFolder(str(photos / "train"), transforms.Compose(changes))
    loader = DataLoader(train, plain.batch, shuffle=True, drop_last=True, num_workers=2, persistent_workers=True)
    net = network(plain.network, plain.small)
    if plain.weights:
        net.load_state_dict(plain.weights)
    # PyTorch's own draw of the classifier: timm's, when it builds the network with ten classes, is ten times as large
    # and costs a short fine-tuning several points.
    net.reset_classifier(len(train.classes))
    net.to(memory_format=shape).train()
    ema = ModelEmaV3(net, decay=plain.ema, use_warmup=True)
    optimizer = torch.optim.AdamW(net.parameters(), lr=plain.lr, weight_decay=plain.weight_decay)
    total = plain.epochs * len(loader)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, plain.lr, total_steps=total, pct_start=plain.warmup)
    criterion = nn.CrossEntropyLoss(label_smoothing=plain.smoothing)
    step, ends = 0, list[float]()
    for _ in range(plain.epochs):
        for images, labels in loader:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                logits = net(images.contiguous(memory_format=shape))
            loss = criterion(logits.float(), labels)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            cycle.step()
            step += 1
            ema.update(net, step=step)
            ends.append(time.perf_counter())
            if step == steps:
                return {"images_per_second": plain.batch / statistics.median(np.diff(ends[4:]))}
    averaged = evaluate(ema.module, photos / "validation", plain, shape, bf16)
    seconds = time.perf_counter() - began
    # An average lags behind in a short run: the better of both counts, and its second look costs it no time.
    raw = evaluate(net.eval(), photos / "validation", plain, shape, bf16)
    best = ema.module if averaged >= raw else net
    return {
        "seconds": seconds,
        "validation": max(averaged, raw),
        "validation_averaged": averaged,
        "validation_raw": raw,
        "test": evaluate(best, photos / "test", plain, shape, bf16),
    }


@torch.inference_mode()
def evaluate(net: nn.Module, folder: Path, plain: Plain, shape: torch.memory_format, bf16: bool) -> float:
    steps = [transforms.Resize(int(plain.image / plain.crop), BICUBIC), transforms.CenterCrop(plain.image),
             transforms.ToTensor(), transforms.Normalize(plain.mean, plain.std)]  # fmt: skip
    photos = ImageFolder(str(folder), transforms.Compose(steps))
    net.eval()
    right = 0
    for images, labels in DataLoader(photos, 64, num_workers=2):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            right += int((net(images.contiguous(memory_format=shape)).argmax(1) == labels).sum())
    return right / len(photos)
