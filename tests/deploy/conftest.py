"""A run with photos and the bundle made of it, once for all tests here: an export takes ten seconds."""

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from linnet.arch.mobilenet import MBConv
from linnet.arch.names import find
from linnet.arch.spec import Arch, Classifier, Conv, Pool, Stage, Style
from linnet.data.preprocess import Preprocess
from linnet.data.source import find_photos
from linnet.deploy.export import export
from linnet.nn.build import build
from linnet.weights.model import Model, write_model

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # tests that import OpenVINO themselves send nothing either

CLASSES = ("checks", "dots", "lines", "waves")


def picture(kind, rng):
    """A noisy pattern on a coloured ground, 90 to 160 pixels a side."""
    w, h = rng.integers(90, 160, 2)
    y, x = np.mgrid[0:h, 0:w] * rng.uniform(0.15, 0.5)
    pattern = {
        "checks": np.sign(np.sin(x) * np.sin(y)),
        "dots": (np.sin(x) + np.sin(y) > 1).astype(float),
        "lines": np.sign(np.sin(x + y)),
        "waves": np.sin(x + np.sin(y) * 3),
    }[kind]
    colours = rng.uniform(0, 255, (2, 3))
    pixels = colours[0] + (colours[1] - colours[0]) * (pattern[..., None] + 1) / 2 + rng.normal(0, 12, (h, w, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def random_model(name, classes, preprocess, **facts):
    """Random weights, and batch norms whose statistics are those of pictures: a wrong fold shows, and so does an input."""
    torch.manual_seed(1)
    arch = find(name).with_classes(len(classes))
    net = build(arch).train()
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        torch.nn.init.uniform_(norm.weight, 0.5, 2)
        torch.nn.init.normal_(norm.bias, 0, 0.3)
        norm.momentum = 1.0
    rng = np.random.default_rng(2)
    pixels = np.stack([preprocess.pixels(picture(kind, rng)) for kind in CLASSES for _ in range(6)])
    with torch.no_grad():
        net(torch.from_numpy(preprocess.normalise(pixels)))
        torch.nn.init.normal_(net.get_classifier().weight, 0, 0.3)
    return Model(arch, tuple(classes), preprocess, net.state_dict(), facts)


@pytest.fixture(scope="session")
def photos(tmp_path_factory):
    """train/ validation/ test/ of four patterns as JPEG, 5 test photos a class; one turned by EXIF, one damaged."""
    root = tmp_path_factory.mktemp("data") / "patterns"
    rng = np.random.default_rng(4)
    for split, n in (("train", 2), ("validation", 2), ("test", 5)):
        for kind in CLASSES:
            place = root / split / kind
            place.mkdir(parents=True)
            for i in range(n):
                exif = Image.Exif()
                exif[0x0112] = 6 if i == 1 else 1
                picture(kind, rng).save(place / f"{i}.jpg", quality=92, exif=exif)
    broken = root / "test" / "dots" / "4.jpg"
    broken.write_bytes(broken.read_bytes()[:900])
    return root


@pytest.fixture(scope="session")
def run(tmp_path_factory, photos):
    """What training leaves: best.safetensors, recipe.json, data.json. The classes are not in sorted order."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    folder.mkdir()
    licence = {"name": "Apache-2.0", "read_in": ["the file LICENSE of a package"]}
    recipe = {"photos": str(photos), "validation": 0.1, "test": 0.1}
    model = random_model(
        "mobilenetv3_small_035", ("waves", "dots", "checks", "lines"), Preprocess(image=64),
        licence=licence, pretrained="somewhere.in1k", recipe=recipe,
    )  # fmt: skip
    write_model(folder / "best.safetensors", model)
    (folder / "recipe.json").write_text(json.dumps(recipe))
    counts = {"train": dict.fromkeys(CLASSES, 2), "validation": dict.fromkeys(CLASSES, 2)}
    learnt = [["", 0, photo.digest] for photo in find_photos(photos).train]
    (folder / "data.json").write_text(json.dumps({"counts": counts, "files": {"train": learnt}}))
    return folder


@pytest.fixture(scope="session")
def sealed(run):
    """The bundle, made by the verb with its defaults. Not to be changed: see `bundle`."""
    return export(run, workers=0).folder


@pytest.fixture
def bundle(sealed, tmp_path):
    """A copy of the bundle to damage."""
    return shutil.copytree(sealed, tmp_path / sealed.name)


@pytest.fixture(scope="session")
def several_run(tmp_path_factory, photos):
    """A run whose photos have several labels each, as their CSV says: the pattern, and whether it is a first or second."""
    root = shutil.copytree(photos, tmp_path_factory.mktemp("several") / "patterns")
    rows = ["path,labels,split"]
    for path in sorted(root.rglob("*.jpg")):
        split, kind, name = path.relative_to(root).parts
        labels = [kind] * (name != "3.jpg") + ["early"] * (name in ("0.jpg", "1.jpg"))
        rows.append(f"{path.relative_to(root).as_posix()},{';'.join(labels)},{split}")
    (root / "labels.csv").write_text("\n".join(rows))
    folder = tmp_path_factory.mktemp("runs") / "several"
    folder.mkdir()
    classes = ("waves", "early", "dots", "checks", "lines")
    model = replace(random_model("mobilenetv3_small_035", classes, Preprocess(image=64)), labels="several")
    write_model(folder / "best.safetensors", model)
    (folder / "recipe.json").write_text(json.dumps({"photos": str(root / "labels.csv")}))
    return folder


@pytest.fixture(scope="session")
def several_sealed(several_run):
    return export(several_run, workers=0).folder


def sure_model(image=32):
    """A small network that has learnt the patterns: mostly right, by a margin that int8 leaves. Two seconds."""
    arch = Arch("tiny", image, (Stage(Conv(k=3), 16, 1, 2),),
        (Stage(MBConv(t=3, k=3, se=0.25), 24, 2, 2), Stage(MBConv(t=3, k=3), 32, 1, 2)),
        (Conv(64, k=1), Pool(), Classifier(len(CLASSES))), style=Style(act="relu6"))  # fmt: skip
    preprocess, rng = Preprocess(image=image), np.random.default_rng(5)
    pixels = np.stack([preprocess.pixels(picture(kind, rng)) for _ in range(24) for kind in CLASSES])
    images, labels = torch.from_numpy(preprocess.normalise(pixels)), torch.arange(4).repeat(24)
    torch.manual_seed(3)
    net = build(arch).train()
    optimiser = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(40):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(images), labels).backward()
        optimiser.step()
    return Model(arch, CLASSES, preprocess, net.state_dict(), {})


@pytest.fixture(scope="session")
def sure():
    """(network, preprocess, batches of images for calibration) and the network as ONNX, as int8 is made of it."""
    from linnet.deploy.runtime.onnx_int8 import prepare

    model = sure_model()
    rng = np.random.default_rng(6)
    pixels = np.stack([model.preprocess.pixels(picture(kind, rng)) for _ in range(8) for kind in CLASSES])
    images = model.preprocess.normalise(pixels)
    batches = [images[:16], images[16:]]
    return model.net().eval(), model.preprocess, batches, prepare(model.net(), model.preprocess, batches)


@pytest.fixture(scope="session")
def hard(sure):
    """A layer's name, and the network as if one calibration image had made what goes into that layer 60 times as large:
    hardly a step is left for the usual values."""
    layer, prepared = "stages.1.0.project", sure[3]
    name = next(node.input[0] for node in prepared.model.graph.node if node.name == f"{layer}/Conv")
    return layer, replace(prepared, high={**prepared.high, name: prepared.high[name] * 60})


@pytest.fixture(scope="session")
def sure_run(tmp_path_factory, photos):
    """A run of that model; its photos are the patterns."""
    folder = tmp_path_factory.mktemp("runs") / "sure"
    folder.mkdir()
    write_model(folder / "best.safetensors", sure_model())
    (folder / "recipe.json").write_text(json.dumps({"photos": str(photos), "validation": 0.1, "test": 0.1}))
    return folder
