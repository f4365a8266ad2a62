"""The golden table: every recipe's resolved numbers, against numbers written here from the sources (facts: recipes).

Learning rates are given at steps of ImageNet-1k, 1,281,167 photos, as the loop computes them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from linnet.arch.names import find
from linnet.nn.groups import depth_of
from linnet.nn.net import Net
from linnet.recipes.book import FILES, book
from linnet.training.recipe import Recipe
from linnet.training.schedule import lr_factor

PHOTOS = 1_281_167
E = 10_000_000  # stands for the last step

# name, network, epochs, batch, steps in an epoch, sizes of the rows, size of evaluation, {step: rate}
# fmt: off
TIMES: list[tuple[str, str, int, int, int, list[Any], int, dict[int, float]]] = [
    # EfficientNet (1.3): 0.016 per 256, 5 epochs up, x 0.97 every 2.4 epochs; epoch 5 is after two decays.
    *((f"efficientnet_{size}", f"tf_efficientnet_{size}", 350, 2048, 625, [image], image,
       {0: 0.0, 1562: 0.128 * 1562 / 3125, 3125: 0.128 * 0.97**2, 4499: 0.128 * 0.97**2, 4500: 0.128 * 0.97**3,
        109_375: 0.128 * 0.97**72, E: 0.128 * 0.97**145})
      for size, image in (("b0", 224), ("b1", 240), ("b2", 260), ("b3", 300), ("b4", 380), ("b5", 456), ("b6", 528), ("b7", 600))),
    ("efficientnet_b0_timm", "efficientnet_b0", 450, 768, 1668, [224], 224,
     {0: 1e-6, 8340: 0.048 * 0.97**2, 1668 * 225: 0.048 * 0.97**93, E: 0.048 * 0.97**187}),
    ("efficientnet_b2_timm", "efficientnet_b2", 450, 256, 5004, [260], 260,
     {0: 1e-6, 25_020: 0.016 * 0.97**2, E: 0.016 * 0.97**187}),
    *((f"efficientnet_lite{size}", f"tf_efficientnet_lite{size}", 350, 2048, 625, [image], image,
       {0: 0.0, 3125: 0.128 * 0.97**2, E: 0.128 * 0.97**145})
      for size, image in enumerate((224, 240, 260, 280, 300))),
    # EfficientNetV2 (2.2 to 2.4): 0.256 at 4096.
    *((f"efficientnetv2_{size}_{follow}", f"tf_efficientnetv2_{size}", 350, 4096, 312, images, at,
       {0: 0.0, 312: 0.0512, 1560: 0.2408704, 2246: 0.2408704, 2247: 0.233644288, 54_600: 0.256 * 0.97**72, E: 0.256 * 0.97**145})
      for size, follow, images, at in (
          ("s", "paper", [128, 185, 243, 300], 384), ("m", "paper", [128, 212, 296, 380], 480), ("l", "paper", [128, 212, 296, 380], 480),
          ("s", "code", [171, 214, 257, 300], 384), ("m", "code", [192, 256, 320, 384], 480), ("l", "code", [192, 256, 320, 384], 480))),
    *((f"efficientnetv2_{size}", f"tf_efficientnetv2_{size}", 350, 4096, 312, [image], at, {1560: 0.2408704, E: 0.256 * 0.97**145})
      for size, image, at in (("b0", 192, 224), ("b1", 192, 240), ("b2", 208, 260), ("b3", 240, 300))),
    *((f"efficientnetv2_{size}_torchvision", f"efficientnetv2_{size}", 600, 1024, 1251, [image], at,
       {0: 0.005, 6255: 0.5, 1251 * 605 // 2: 0.25, E: 0.0})
      for size, image, at in (("s", 300, 384), ("m", 384, 480))),
    # MobileNetV1 (3): 0.045, x 0.94 every 2 epochs.
    ("mobilenetv1_100", "mobilenetv1_100", 300, 96, 13_345, [224], 224, {0: 0.045, 26_690: 0.045 * 0.94, E: 0.045 * 0.94**149}),
    # MobileNetV2 (4): 0.045, x 0.98 per epoch; cvnets 0.05 to 0.4 in 7500 steps, cosine to 2e-4.
    ("mobilenetv2_100", "mobilenetv2_100", 420, 96, 13_345, [224], 224, {0: 0.045, 13_345 * 210: 0.045 * 0.98**210, E: 0.045 * 0.98**419}),
    ("mobilenetv2_100_torchvision", "mobilenetv2_100", 300, 256, 5004, [224], 224, {0: 0.045, 5004: 0.0441, E: 0.045 * 0.98**299}),
    *((f"mobilenetv{v}_100_cvnets", f"mobilenetv{v}_100", 300, 1024, 1251, [(128, 160, 192, 224, 256, 288, 320)], 224,
       {0: 0.05, 3750: 0.225, 7500: 0.4, (7500 + 375_300) // 2: 0.2001, E: 2e-4}) for v in (1, 2)),
    # MobileNetV3 (5.3): 0.1 at 4096, x 0.99 every 3 epochs.
    *((f"mobilenetv3_{size}", f"tf_mobilenetv3_{size}_100", 600, 4096, 312, [224], 224, {0: 0.1, 935: 0.1, 936: 0.099, E: 0.1 * 0.99**199})
      for size in ("large", "small")),
    ("mobilenetv3_large_timm", "mobilenetv3_large_100", 600, 1024, 1251, [224], 224, {0: 1e-6, 6255: 0.064 * 0.973**2, E: 0.064 * 0.973**249}),
    *((f"mobilenetv3_{size}_torchvision", f"mobilenetv3_{size}_100", 600, 1024, 1251, [224], 224, {0: 0.064, 2502: 0.064 * 0.973, E: 0.064 * 0.973**299})
      for size in ("large", "small")),
    *((f"mobilenetv3_{size}_cvnets", f"mobilenetv3_{size}_100", 300, 2048, 625, [224], 224, {0: 0.1, 3000: 0.8, (3000 + 187_500) // 2: 0.4002, E: 4e-4})
      for size in ("large", "small")),
    *((f"mobilenetv3_{size}_d_li14", f"mobilenetv3_{size}_100", 150, 1024, 1251, [224], 224, {0: 0.0, 6255: 0.4, E: 0.0}) for size in ("large", "small")),
    # MnasNet (6): 0 to 0.256 in 5 epochs, x 0.97 every 2.4.
    *((f"mnasnet_{size}", arch, 350, 4096, 312, [224], 224, {0: 0.0, 1560: 0.2408704, E: 0.256 * 0.97**145})
      for size, arch in (("a1", "semnasnet_100"), ("b1", "mnasnet_100"), ("small", "mnasnet_small"))),
    # MobileViT (9): 2e-4 to 2e-3 in 3000 steps, cosine to 2e-4; v2: 1e-6 to 2e-3 in 20,000.
    *((f"mobilevit_{size}", f"mobilevit_{size}", 300, 1024, 1251, [(160, 192, 256, 288, 320)], 256,
       {0: 2e-4, 1500: 1.1e-3, 3000: 2e-3, (3000 + 375_300) // 2: 1.1e-3, E: 2e-4}) for size in ("xxs", "xs", "s")),
    *((f"mobilevitv2_{size}", f"mobilevitv2_{size}", 300, 1024, 1251, [256], 256, {0: 1e-6, 20_000: 2e-3, (20_000 + 375_300) // 2: 1.1e-3, E: 2e-4})
      for size in ("050", "075", "100", "125", "150", "175", "200")),
    # ConvNeXt (8): 4e-3 at 4096, 20 epochs up, cosine to 1e-6.
    *((f"convnext_{size}", f"convnext_{size}", 300, 4096, 312, [224], 224, {0: 0.0, 3120: 2e-3, 6240: 4e-3, 312 * 160: 2.0005e-3, E: 1e-6})
      for size in ("tiny", "small", "base", "large")),
    *((f"convnext_{size}_384", f"convnext_{size}", 30, 512, 2502, [384], 384, {0: 5e-5, 2502 * 15: 2.55e-5, E: 1e-6}) for size in ("base", "large")),
    # ViT (10): 3e-3, 10,000 steps up, cosine.
    *((f"vit_{size}", f"vit_{size}_224", 300, 4096, 312, [224], 224, {0: 0.0, 5000: 1.5e-3, 10_000: 3e-3, (10_000 + 93_600) // 2: 1.5e-3, E: 0.0})
      for size in ("base_patch16", "base_patch32", "large_patch16", "large_patch32")),
    ("vit_small_patch16_big_vision", "vit_small_patch16_224", 90, 1024, 1251, [224], 224, {0: 0.0, 10_000: 1e-3, E: 0.0}),
    # DeiT, Swin (10): 5e-4 per 512.
    *((f"deit_{size}", f"deit_{size}_patch16_224", 300, 1024, 1251, [224], 224, {0: 1e-6, 6255: 1e-3, 1251 * 305 // 2: 5.05e-4, E: 1e-5})
      for size in ("tiny", "small", "base")),
    *((f"swin_{size}", f"swin_{size}_patch4_window7_224", 300, 1024, 1251, [224], 224, {0: 5e-7, 25_020: 1e-3, 1251 * 160: 5.025e-4, E: 5e-6})
      for size in ("tiny", "small", "base")),
    # ResNet strikes back, Table 2; FFCV rn50_88_epochs.yaml.
    ("resnet50_a1", "resnet50", 600, 2048, 625, [224], 224, {0: 5e-7, 3125: 5e-3, 625 * 605 // 2: 2.5005e-3, E: 1e-6}),
    ("resnet50_a2", "resnet50", 300, 2048, 625, [224], 224, {0: 5e-7, 3125: 5e-3, E: 1e-6}),
    ("resnet50_a3", "resnet50", 100, 2048, 625, [160], 224, {0: 8e-7, 3125: 8e-3, E: 1e-6}),
    ("resnet50_ffcv", "resnet50", 88, 512, 2502, [160, 192], 256, {0: 1.7e-4, 5004: 1.7, 2502 * 45: 0.85, E: 0.0}),
    ("modern", "resnet50", 600, 1024, 1251, [176], 224, {0: 0.005, 6255: 0.5, 1251 * 605 // 2: 0.25, E: 0.0}),
]

# name: optimiser, weight decay, what it pulls at, average, label smoothing, gradient norm, policy, repeats
WAYS: dict[str, tuple[Any, ...]] = {
    "efficientnet_b[0-7]":              ("rmsprop", 1e-5, "weights", 0.9999, 0.1, "inf", "autoaugment", 1),
    "efficientnet_b?_timm":             ("rmsprop", 1e-5, "weights", 0.9999, 0.1, "inf", "none", 1),
    "efficientnet_lite?":               ("rmsprop", 1e-5, "weights", 0.9999, 0.1, "inf", "none", 1),
    "efficientnetv2_?_[pc]*":           ("rmsprop", 1e-5, "weights", 0.9999, 0.1, "inf", "none", 1),
    "efficientnetv2_b?":                ("rmsprop", 1e-5, "weights", 0.9999, 0.1, "inf", "autoaugment", 1),
    "efficientnetv2_?_torchvision":     ("sgd", 2e-5, "weights", 0.9999, 0.1, "inf", "trivialaugment", 4),
    "mobilenetv1_100":                  ("rmsprop", 4e-5, "no_depthwise", 0.9999, 0.0, "inf", "none", 1),
    "mobilenetv2_100":                  ("rmsprop", 4e-5, "weights", 0.9999, 0.1, "inf", "none", 1),
    "mobilenetv2_100_torchvision":      ("sgd", 4e-5, "all", 0.0, 0.0, "inf", "none", 1),
    "mobilenetv[12]_100_cvnets":        ("sgd", 4e-5, "weights", 0.9995, 0.1, "inf", "none", 1),
    "mobilenetv3_?????":                ("rmsprop", 1e-5, "weights", 0.9999, 0.1, "inf", "none", 1),
    "mobilenetv3_large_timm":           ("rmsprop", 1e-5, "weights", 0.9999, 0.1, "inf", "none", 1),
    "mobilenetv3_?????_torchvision":    ("rmsprop", 1e-5, "all", 0.0, 0.0, "inf", "autoaugment", 1),
    "mobilenetv3_?????_cvnets":         ("sgd", 4e-5, "weights", 0.9995, 0.1, "inf", "none", 1),
    "mobilenetv3_?????_d_li14":         ("sgd", 4e-5, "weights", 0.0, 0.1, "inf", "none", 1),
    "mnasnet_*":                        ("rmsprop", 1e-5, "weights", 0.9999, 0.1, "inf", "none", 1),
    "mobilevit_*":                      ("adamw", 0.01, "all", 0.9995, 0.1, "inf", "none", 1),
    "mobilevitv2_*":                    ("adamw", 0.05, "weights", 0.9995, 0.1, "inf", "none", 1),
    "convnext_*[!4]":                   ("adamw", 0.05, "weights", 0.9999, 0.1, "inf", "none", 1),
    "convnext_*_384":                   ("adamw", 1e-8, "weights", 0.0, 0.1, "inf", "none", 1),
    "vit_*_patch[13][62]":              ("adamw", 0.3, "weights", 0.0, 0.0, 1.0, "none", 1),
    "vit_small_patch16_big_vision":     ("adamw", 0.1, "weights", 0.0, 0.0, 1.0, "none", 1),
    "deit_*":                           ("adamw", 0.05, "weights", 0.99996, 0.1, "inf", "none", 3),
    "swin_*":                           ("adamw", 0.05, "weights", 0.0, 0.1, 5.0, "none", 1),
    "resnet50_a1":                      ("lamb", 0.01, "weights", 0.0, 0.1, 1.0, "none", 3),
    "resnet50_a2":                      ("lamb", 0.02, "weights", 0.0, 0.0, 1.0, "none", 3),
    "resnet50_a3":                      ("lamb", 0.02, "weights", 0.0, 0.0, 1.0, "none", 1),
    "resnet50_ffcv":                    ("sgd", 1e-4, "weights", 0.0, 0.1, "inf", "none", 1),
    "modern":                           ("sgd", 2e-5, "weights", 0.9999, 0.1, "inf", "trivialaugment", 4),
}

# name: of the last row RandAugment, mixup, cutmix, erasing, dropout, drop path
LAST: dict[str, tuple[float, ...]] = {
    "efficientnet_b[01]":               (0, 0, 0, 0, 0.2, 0.2),
    "efficientnet_b[23]":               (0, 0, 0, 0, 0.3, 0.2),
    "efficientnet_b[45]":               (0, 0, 0, 0, 0.4, 0.2),
    "efficientnet_b[67]":               (0, 0, 0, 0, 0.5, 0.2),
    "efficientnet_b0_timm":             (9, 0, 0, 0.2, 0.2, 0.2),
    "efficientnet_b2_timm":             (9, 0, 0, 0.2, 0.3, 0.2),
    "efficientnet_lite[01]":            (0, 0, 0, 0, 0.2, 0.2),
    "efficientnet_lite[234]":           (0, 0, 0, 0, 0.3, 0.2),
    "efficientnetv2_s_paper":           (15, 0, 0, 0, 0.3, 0.2),
    "efficientnetv2_m_paper":           (20, 0.2, 0, 0, 0.4, 0.2),
    "efficientnetv2_l_paper":           (25, 0.5, 0, 0, 0.5, 0.2),
    "efficientnetv2_s_code":            (10, 0, 0, 0, 0.2, 0.2),
    "efficientnetv2_m_code":            (15, 0.2, 0.2, 0, 0.3, 0.2),
    "efficientnetv2_l_code":            (20, 0.5, 0.5, 0, 0.4, 0.2),
    "efficientnetv2_b[01]":             (0, 0, 0, 0, 0.2, 0.2),
    "efficientnetv2_b[23]":             (0, 0, 0, 0, 0.3, 0.2),
    "efficientnetv2_?_torchvision":     (0, 0.2, 1.0, 0.1, 0, 0),
    "mobilenetv[12]_*":                 (0, 0, 0, 0, 0, 0),
    "mobilenetv3_?????":                (0, 0, 0, 0, 0.2, 0),
    "mobilenetv3_large_timm":           (9, 0, 0, 0.2, 0.2, 0.2),
    "mobilenetv3_?????_torchvision":    (0, 0, 0, 0.2, 0.2, 0),
    "mobilenetv3_?????_cvnets":         (0, 0, 0, 0, 0, 0),
    "mobilenetv3_?????_d_li14":         (0, 0, 0, 0, 0.2, 0),
    "mnasnet_*":                        (0, 0, 0, 0, 0.2, 0),
    "mobilevit_*":                      (0, 0, 0, 0, 0.1, 0),
    "mobilevitv2_*":                    (9, 0.2, 1.0, 0.25, 0, 0),
    "convnext_tiny":                    (9, 0.8, 1.0, 0.25, 0, 0.1),
    "convnext_small":                   (9, 0.8, 1.0, 0.25, 0, 0.4),
    "convnext_base":                    (9, 0.8, 1.0, 0.25, 0, 0.5),
    "convnext_large":                   (9, 0.8, 1.0, 0.25, 0, 0.5),
    "convnext_base_384":                (9, 0, 0, 0.25, 0, 0.8),
    "convnext_large_384":               (9, 0, 0, 0.25, 0, 0.95),
    "vit_*_patch[13][62]":              (0, 0, 0, 0, 0.1, 0),
    "vit_small_patch16_big_vision":     (10, 0.2, 0, 0, 0, 0),
    "deit_*":                           (9, 0.8, 1.0, 0.25, 0, 0.1),
    "swin_tiny":                        (9, 0.8, 1.0, 0.25, 0, 0.2),
    "swin_small":                       (9, 0.8, 1.0, 0.25, 0, 0.3),
    "swin_base":                        (9, 0.8, 1.0, 0.25, 0, 0.5),
    "resnet50_a1":                      (7, 0.2, 1.0, 0, 0, 0.05),
    "resnet50_a2":                      (7, 0.1, 1.0, 0, 0, 0.05),
    "resnet50_a3":                      (6, 0.1, 1.0, 0, 0, 0),
    "resnet50_ffcv":                    (0, 0, 0, 0, 0, 0),
    "modern":                           (0, 0.2, 1.0, 0.1, 0, 0),
}
# fmt: on
OURS = {"fine_tune", "int8_fine_tune", "cifar10"}  # not of ImageNet: tested below


def matching(table: dict[str, Any], name: str) -> Any:
    from fnmatch import fnmatchcase

    (found,) = [value for pattern, value in table.items() if fnmatchcase(name, pattern)]  # exactly one row
    return found


def test_the_table_has_every_recipe_once():
    names = [row[0] for row in TIMES]
    assert sorted(names) == sorted(set(book()) - OURS)


@pytest.mark.parametrize(("name", "arch", "epochs", "batch", "steps", "sizes", "at", "rates"), TIMES, ids=lambda v: v if isinstance(v, str) else "")  # fmt: skip
def test_times_sizes_and_rates(name, arch, epochs, batch, steps, sizes, at, rates):
    recipe = book()[name].recipe
    assert (recipe.arch, recipe.epochs) == (arch, epochs)
    assert {row.batch for row in recipe.phases} == {batch}
    assert PHOTOS // batch == steps
    assert [row.sizes or row.image for row in recipe.phases] == sizes
    assert (recipe.eval_image or recipe.phases[-1].image) == at
    for step, rate in rates.items():
        time = min(step, steps * epochs - 1) / steps
        row = recipe.phase_of(int(time))[1]
        found = recipe.optimizer.lr * row.lr_factor * lr_factor(recipe.schedule, time, recipe.epochs)
        assert found == pytest.approx(rate, rel=2e-4, abs=2e-5 if rate == 0 else 0), f"{name}, step {step}"


@pytest.mark.parametrize("name", sorted(set(book()) - OURS))
def test_optimiser_and_regularisation(name):
    recipe, value = book()[name].recipe, book()[name].recipe.to_json()
    optimizer, row = recipe.optimizer, recipe.phases[-1]
    found = (
        optimizer.kind,
        optimizer.weight_decay,
        optimizer.decayed,
        recipe.ema,
        recipe.label_smoothing,
        value["clip"],
        recipe.policy,
        recipe.repeats,
    )
    assert found == matching(WAYS, name)
    last = (row.randaugment, row.mixup, row.cutmix, row.erasing, row.dropout, row.drop_path)
    assert last == pytest.approx(matching(LAST, name))


def test_what_only_some_have():
    recipes = {name: published.recipe for name, published in book().items()}
    assert recipes["efficientnet_b0"].bn_group == 128
    assert recipes["efficientnet_b7"].preprocess["crop"] == pytest.approx(0.949, abs=5e-4)
    assert recipes["efficientnetv2_s_code"].crop_area == (0.05, 1.0)
    assert recipes["efficientnetv2_s_code"].preprocess["mode"] == "squash"
    assert recipes["convnext_base_384"].pretrained == "convnext_base.fb_in1k"
    assert recipes["mobilevit_s"].preprocess["crop"] == 256 / 288
    assert {name for name, recipe in recipes.items() if recipe.loss == "sigmoid"} == {
        f"resnet50_a{i}" for i in (1, 2, 3)
    }
    assert recipes["modern"].preprocess["crop"] == 224 / 232
    nesterov = {n for n, r in recipes.items() if r.optimizer.kind == "sgd" and r.optimizer.nesterov}
    assert nesterov == {n for n in recipes if n.endswith("_cvnets")}


@pytest.mark.parametrize("size", ["base", "large"])
def test_convnext_s_stem_has_its_authors_rate(size):
    """facebookresearch/ConvNeXt, optim_factory.py and main.py: 0.7 ** (12 + 1 - group), the stem in group 0."""
    with torch.device("meta"):
        depths = depth_of(Net(find(f"convnext_{size}")))
    factor = book()[f"convnext_{size}_384"].recipe.layer_decay ** max(depths.values())
    assert factor == pytest.approx(0.7**13)


def test_cifar10():
    from linnet.arch.spec import Arch

    recipe = book()["cifar10"].recipe
    network = Arch.from_json(recipe.arch)
    assert network.row_names == find("mobilenetv2_100").row_names
    assert [layer.out_size for row, layer in network.layers(32) if row == len(network.stem) + len(network.stages) - 1][
        -1
    ] == (4, 4)
    rates = [0.1 * lr_factor(recipe.schedule, t, recipe.epochs) for t in (0, 100, 200)]
    assert rates == pytest.approx([0.1, 0.05, 0.0])
    assert (recipe.epochs, recipe.phases[0].batch, recipe.optimizer.weight_decay) == (200, 128, 5e-4)


def test_fine_tuning_begins_with_the_classifier():
    recipe = book()["fine_tune"].recipe
    assert recipe.pretrained == "tf_efficientnet_lite0"
    assert recipe.phases[0].freeze == find("tf_efficientnet_lite0").classifier_row
    assert [row.image for row in recipe.phases] == sorted(row.image for row in recipe.phases)
    assert recipe.phases[-1].image == recipe.eval_image == 160
    assert recipe.epochs == 5


@pytest.mark.parametrize("file", FILES)
def test_a_file_says_what_a_reader_needs(file):
    from importlib import import_module

    text = import_module(f"linnet.recipes.{file}").__doc__
    assert "Command: linnet train " in text
    assert "Hardware" in text
    assert re.search(r"[Tt]ime", text)
    if file not in ("fine_tune", "int8_fine_tune"):
        assert "Not reproduced here" in text


def test_every_recipe_comes_back_from_its_file(tmp_path):
    for name, published in book().items():
        published.recipe.save(tmp_path / "recipe.json")
        assert Recipe.load(tmp_path / "recipe.json") == published.recipe, name


def test_every_file_is_in_the_book():
    folder = Path(import_path())
    assert {path.stem for path in folder.glob("*.py")} - {"__init__", "published", "book"} == set(FILES)


def import_path() -> str:
    import linnet.recipes

    return next(iter(linnet.recipes.__path__))
