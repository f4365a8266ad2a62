from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys

import pytest

from linnet.arch.names import find
from linnet.errors import SettingError
from linnet.training.ingredients import AdamW, Constant, Cosine, RmsProp, Sgd, Step
from linnet.training.progressive import progressive
from linnet.training.recipe import Phase, Recipe

WHOLE = Recipe(
    photos="photos",
    arch="tf_efficientnet_lite0",
    pretrained="tf_efficientnet_lite0.in1k",
    phases=progressive(8, stages=2, mixup=(0, 0.2)),
    optimizer=RmsProp(),
    schedule=Step(),
    clip=1.0,
    eval_image=224,
    preprocess={"image": 224},
    workers=2,
    threads=1,
)

OWN = json.loads(json.dumps(find("efficientnet_b0").to_json() | {"name": "mine"}))


def places(value, path=()):
    """Every setting of a recipe as JSON: its path."""
    for name, child in value.items():
        if name not in ("preprocess", "kind"):
            yield (*path, name)
        if isinstance(child, dict) and name != "preprocess":
            yield from places(child, (*path, name))
        if name == "phases":
            yield from places(child[1], (*path, name, 1))


def mutants():
    """(what was done, recipe as JSON, words that the refusal has to say)."""
    plain = WHOLE.to_json()

    def at(path, change):
        copy = json.loads(json.dumps(plain))
        parent = copy
        for part in path[:-1]:
            parent = parent[part]
        change(parent, path[-1])
        return copy

    for path in places(plain):
        name = path[-1]
        typo = name[0] + name[2] + name[1] + name[3:] if name[1:2] != name[2:3] and len(name) > 3 else name + "z"
        yield f"typo {path}", at(path, lambda p, n, typo=typo: p.update({typo: p.pop(n)})), (typo, f"'{name}'")
        switch = name in ("bn_frozen", "int8", "teacher_hard", "deterministic", "recompute")
        wrong = ["yes", 1, float("nan"), None] if switch else [True, {"a": 1}, float("nan"), -1]
        for value in wrong:
            yield f"{value} at {path}", at(path, lambda p, n, value=value: p.update({n: value})), ()
    for path, value, said in [
        (("optimizer", "kind"), "rmspro", "'rmsprop'"),
        (("schedule", "kind"), "cosin", "'cosine'"),
        (("precision",), "fp16", "'bf16'"),
        (("memory_format",), "channel_last", "'channels_last'"),
        (("compile",), "onn", "'on'"),
        (("policy",), "autoaugmnt", "'autoaugment'"),
        (("policy",), "autoaugment", "in place of RandAugment"),
        (("color_jitter",), [0.1, 0.1], "color_jitter"),
        (("color_jitter",), [0.1, 0.1, 0.1, 0.6], "hue of 0.6"),
        (("cutout",), 1.0, "cutout"),
        (("repeats",), 0, "repeats"),
        (("workers",), "aut", "'auto'"),
        (("arch",), "eficientnet_b0", "'efficientnet_b0'"),
        (("arch",), {"name": "mine"}, "not the description"),
        (("phases",), [], "at least 1"),
        (("phases", 0), 3, "phase"),
        (("phases", 0, "epochs"), "3", "epochs"),
        (("phases", 0, "epochs"), 2.0, "epochs"),
        (("phases", 0, "image"), 8, "image"),
        (("phases", 0, "batch"), 1, "batch"),
        (("ema",), 1.0, "ema"),
        (("label_smoothing",), 1.0, "label_smoothing"),
        (("clip",), 0, "clip"),
        (("clip",), "none", "clip"),
        (("crop_area",), [0.5, 0.1], "crop_area"),
        (("crop_area",), [0.5], "crop_area"),
        (("phases", 0, "freeze"), 99, "allowed are 0 to"),
        (("schedule", "warmup"), 8.0, "warmup"),
        (("validation",), 0.95, "leave nothing"),
        (("seed",), 1.5, "seed"),
        (("seed",), 2**63, "seed"),
        (("pretrained",), "nonsense", "No network is called 'nonsense'"),
        (("pretrained",), "mobilenetv1_025", "no pretrained weights called mobilenetv1_025"),
        (("arch",), "efficientnet_b0", "do not fit efficientnet_b0"),
        (("preprocess",), {"immage": 3}, "immage"),
    ]:
        yield f"{value} at {path}", at(path, lambda p, n, value=value: p.__setitem__(n, value)), (said,)
    plain = {**plain, "arch": OWN, "pretrained": None}
    for path, value, said in [
        (("name",), 3, "name is 3"),
        (("image",), -5, "image is -5"),
        (("init",), "foo", "'fan_out'"),
        (("style", "act"), "swish", "'silu'"),
        (("style", "eps"), "1e-3", "style.eps is '1e-3'"),
        (("scaling",), [], "scaling"),
        (("stem", 0, "op"), "Conv", "names its operator"),
        (("stem", 0, "op", "k"), 2, "no middle"),
        (("stages", 1, "stride"), 0, "stages.1.stride is 0"),
        (("stages", 1, "channels"), "16", "stages.1.channels is '16'"),
        (("stages", 1, "channels"), 0, "stages.1 gives 0 channels"),
        (("stages", 1, "layers"), 10**9, "stages.1.layers"),
        (("stages", 1, "op", "k"), [3], "stages.1.op.k"),
        (("stages", 1, "op", "op"), "MBconv", "'MBConv'"),
        (("stages", 6, "op"), {"op": "Conv", "k": 9, "pad": 0}, "stages.6 gives 320 channels of (-4, -4)"),
        (("head",), [{"op": "Pool"}], "no classifier"),
        (("head", 3, "classes"), 0, "no classifier"),
        (("head",), [{"op": "Conv", "c": 8}, {"op": "Dropout"}, {"op": "Pool", "kind": "flatten"},
                     {"op": "Pool", "kind": "flatten"}, {"op": "Classifier"}], "do not fit each other"),
    ]:  # fmt: skip
        path = ("arch", *path)
        yield f"{value} at {path}", at(path, lambda p, n, value=value: p.__setitem__(n, value)), (said,)


MUTANTS = list(mutants())


def test_there_are_200_mutants_and_the_recipe_itself_is_fine():
    assert len(MUTANTS) >= 200
    assert Recipe.from_json(json.loads(json.dumps(WHOLE.to_json()))) == WHOLE
    assert Recipe(arch=OWN).arch == OWN
    lite = find("tf_efficientnet_lite0").with_classes(7).to_json() | {"name": "mine"}
    assert Recipe(arch=lite, pretrained="tf_efficientnet_lite0").pretrained  # the rows count, not the name


def test_every_mutant_is_refused_in_one_line_with_the_nearest_name():
    for done, value, said in MUTANTS:
        refusal = refuse(value)
        assert refusal, f"{done} was taken"
        assert "\n" not in refusal, done
        assert all(word in refusal for word in said), f"{done}: {refusal}"


def refuse(value):
    try:
        Recipe.from_json(value)
    except SettingError as refused:
        return str(refused)
    return ""


def test_the_same_in_python():
    for wrong in (
        lambda: Phase(epochs=0),
        lambda: Phase(3),
        lambda: Sgd(lr=math.nan),
        lambda: AdamW(betas=(0.9, 1.0)),
        lambda: dataclasses.replace(WHOLE, seed=-1),
        lambda: Recipe(optimizer=Cosine()),
    ):
        with pytest.raises(SettingError):
            wrong()


@pytest.mark.parametrize(
    "settings",
    [
        {"clip": math.inf},
        {"clip": 2.5},
        {"schedule": Constant(), "optimizer": Sgd()},
        {"color_jitter": (0.4, 0.3, 0.2)},
    ],
    ids=str,
)
def test_a_file_comes_back_equal(settings, tmp_path):
    recipe = Recipe(**settings)
    recipe.save(tmp_path / "recipe.json")
    assert Recipe.load(tmp_path / "recipe.json") == recipe


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a recipe"),
        ("[1]", "JSON object"),
        ('{"seed": 1, "seed": 2}', "'seed' stands there twice"),
        ("{" * 10_000, "not a recipe"),
        ('{"sede": 1}', "Did you mean 'seed'"),
        ("\xff", "not a recipe"),
    ],
)
def test_other_files_are_refused_by_name(text, said, tmp_path):
    (tmp_path / "mine.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingError, match=rf"mine\.json.*{said}"):
        Recipe.load(tmp_path / "mine.json")
    with pytest.raises(SettingError, match=r"none\.json"):
        Recipe.load(tmp_path / "none.json")


def test_a_wrong_recipe_is_refused_before_anything_heavy_is_imported(tmp_path):
    (tmp_path / "recipe.json").write_text('{"sede": 1}')
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "import linnet\n"
        "try: linnet.train(Path('photos'), recipe=Path(sys.argv[1]))\n"
        "except linnet.LinnetError as error: assert 'seed' in str(error), error\n"
        "else: raise SystemExit('taken')\n"
        "linnet.training.recipe.Recipe(arch='tf_efficientnet_lite0', pretrained='tf_efficientnet_lite0')\n"
        "heavy = {'torch', 'torchvision', 'onnx', 'onnxruntime', 'openvino'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "recipe.json"], check=True)


def test_a_batch_too_small_for_its_copies_is_refused():
    phases = (Phase(epochs=1, batch=64), Phase(epochs=1, batch=5))
    with pytest.raises(SettingError, match="repeats is 3 and a batch 5"):
        Recipe(phases=phases, repeats=3)
    assert Recipe(phases=phases, repeats=2).repeats == 2


def test_phases_by_epoch():
    recipe = Recipe(phases=(Phase(epochs=2, image=96), Phase(epochs=1, image=128)))
    assert recipe.epochs == 3
    assert [recipe.phase_of(e)[0] for e in range(3)] == [0, 0, 1]
    with pytest.raises(SettingError):
        recipe.phase_of(3)


# -- progressive learning ---------------------------------------------------------------------------------------------
