"""From a run to a proven bundle; the verb `export`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..data.source import Photo, Photos
    from ..weights.model import Model
    from .bundle import Bundle


@dataclass(frozen=True)
class Exported:
    """A bundle that was made, with its runtimes. `errors` say what was asked for too, but failed its proof."""

    folder: Path
    runtimes: tuple[str, ...]
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what is to be known of those that passed: how int8 was made, and how sure its drop is

    def __fspath__(self) -> str:
        return str(self.folder)

    def __str__(self) -> str:
        return "\n".join([str(self.folder), *self.notes])

    def to_json(self) -> dict[str, Any]:
        notes = {"notes": list(self.notes)} if self.notes else {}
        return {"bundle": str(self.folder), "runtimes": list(self.runtimes), "errors": list(self.errors), **notes}


def export(
    run: Path,
    *,
    to: tuple[str, ...] = ("onnx",),
    out: Path | None = None,
    photos: Path | None = None,
    split: str = "test",
    most: int = 1000,
    threads: int = 0,
    workers: int = 2,
    uint8: bool = False,
    output: str = "logits",
    image: str = "fixed",
    calibration: int = 300,
    max_drop: float | None = None,
    zip: bool = False,
) -> Exported:
    """Make a bundle of a trained model: files that run without PyTorch, each proven on photos it has not learnt from.

    Args:
        run: A run's folder, or a model's .safetensors file.
        to: Runtimes to make files for: onnx, onnx-int8, openvino, openvino-bf16, openvino-int8, litert, litert-int8, executorch, executorch-int8, aotinductor. One that fails its proof is left out.
            "auto" makes all that are installed but aotinductor, whose file is a program for this kind of processor, measures them in turns and marks the best for latency, memory and size.
            "web" makes onnx and a page beside the bundle that runs it in browsers.
        out: Where to write the bundle; by default NETWORK.linnet in the run's folder, or NETWORK-2.linnet if that is there. Nothing is overwritten.
        photos: The photos to prove it on; by default those of the run.
        split: Which of these photos; where there are no test photos, validation is taken.
        most: Compare at most so many photos, chosen by their content.
        threads: Threads for the measured time; 0 means one per core.
        workers: Processes that decode photos; 0 decodes in this one.
        uint8: Put the normalisation into the files, which then take the pixels themselves, [B, H, W, 3] in RGB.
        output: What the files give: logits, or probabilities, by a softmax at their end (of several labels each a sigmoid).
        image: Height and width that the files take: fixed to the run's, or dynamic, from half to double of it, proven at several sizes.
        calibration: For int8: measure the ranges of its numbers on so many training photos.
        max_drop: For int8: points of accuracy that it may lose on the validation photos; by default 0.5, or one photo where that is more. Layers are left in float to keep to it.
        zip: Write the bundle as one file too, NAME.linnet.zip, beside its folder; predict and evaluate take either.
    """
    from ..data.source import find_photos
    from ..errors import LinnetError, SettingError
    from ..evaluation.learnt import digests_of, training_of
    from ..weights.model import read_model
    from .bundle import SUFFIX, check_name, free_place
    from .choice import int8_notes
    from .fastest import AUTO, ways_table
    from .manifest import MANIFEST
    from .proven import check_runtimes
    from .runtime.known import way
    from .web.folder import page_beside, split_web
    from .zipping import ENDING, demand_free, zip_bundle, zip_of

    to, with_page = split_web(to)
    if AUTO not in to:
        check_runtimes(to)
    run = Path(run)
    model = read_model(run)
    if (run.is_dir() and (run / MANIFEST).exists()) or run.suffix == ENDING:
        raise SettingError(f"{run}: is a bundle already. Give the run that it was made from.")
    home = run if run.is_dir() else run.parent
    folder = Path(out) if out else free_place(home, model.arch.name)
    if zip:
        demand_free(zip_of(folder))
    name = check_name(folder.name.removesuffix(SUFFIX))
    recorded = read_json(home / "recipe.json").get("photos")
    root = Path(photos or recorded or "")
    if not photos and not (recorded and root.exists()):
        gone = f"its photos are no longer at {recorded}" if recorded else "the run does not say where its photos are"
        raise SettingError(
            f"{run}: {gone}, and a bundle is only made with a proof on real photos. Say where they are:"
            f" linnet export {run} --photos FOLDER"
        )
    shares, trained_on = training_of(home, model.facts)
    source = find_photos(root, **shares)
    counts = read_json(home / "data.json").get("counts", {})
    bundle = export_model(
        model, source, folder, name=name, to=to, split=split, most=most, threads=threads, workers=workers,
        trained_on=trained_on or None, chosen_by=digests_of(home, "validation"), counts=counts, uint8=uint8, output=output,
        image=image, calibration=calibration, max_drop=max_drop,
    )  # fmt: skip
    made = tuple(way(one.runtime, one.precision) for one in bundle.runtimes)
    notes = (*ways_table(bundle.facts), *int8_notes(bundle.certificates))
    no_zip: tuple[str, ...] = ()
    if zip:
        try:
            notes = (*notes, f"{zip_bundle(bundle)}: the same in one file")
        except LinnetError as error:  # the bundle itself is there
            no_zip = (str(error),)
    failed, no_page = tuple(bundle.facts.get("failed", ())), ()
    if with_page:
        page, no_page = page_beside(bundle.folder)
        notes = (*notes, *page)
    if AUTO in to:  # nobody asked for those by name
        notes, failed = (*notes, *(f"Left out: {line}" for line in failed)), ()
    return Exported(bundle.folder, made, (*failed, *no_page, *no_zip), notes)


def export_model(
    model: Model,
    photos: Photos,
    folder: Path,
    *,
    name: str,
    to: Sequence[str] = ("onnx",),
    split: str = "test",
    most: int = 1000,
    threads: int = 0,
    workers: int = 2,
    trained_on: frozenset[str] | None = frozenset(),
    chosen_by: frozenset[str] = frozenset(),
    counts: Mapping[str, Mapping[str, int]] | None = None,
    uint8: bool = False,
    output: str = "logits",
    image: str = "fixed",
    calibration: int = 300,
    max_drop: float | None = None,
) -> Bundle:
    """`export` for a Model and Photos at hand: writes the bundle `folder`, whole or not at all.

    `trained_on`: digests of photos that the model has learnt from; these prove nothing and are left out. None: it is not
    known, and the card says so. `chosen_by`: of those that chose its epoch, which are no test photos.
    `calibration` and `max_drop` are for int8: training photos to calibrate on, and points of accuracy that may be lost on
    the validation photos. A runtime that does not answer as the network does, or whose int8 loses more, is left out, and
    why stands in bundle.json as "failed". Where `to` is ("auto",), the runtimes come in the order of fastest.Ranking, and
    bundle.json says under "default" which is the best for what; int8 is then left out too where there are no photos to
    choose it by.
    Raises: ProofError when none is left, SettingError when `folder` is taken or a runtime is not installed.
    """
    from dataclasses import replace

    from ..cores import available_cores
    from ..errors import DataError, SettingError, did_you_mean
    from ..evaluation.several import check_form
    from ..files import write_text
    from ..weights.model import write_model
    from .bundle import new_bundle, read_bundle, seal
    from .card import model_card
    from .certificate import versions
    from .choice import read_choice
    from .fastest import AUTO, every_way, rank
    from .outputs import OUTPUTS
    from .predict_source import predict_source
    from .proven import check_runtimes, proven_files
    from .runtime.known import find_way
    from .sizes import SIZES, check_dynamic, dynamic_ways, sides_around

    if output not in OUTPUTS:
        raise SettingError(f"output is {output!r}; allowed: {', '.join(OUTPUTS)}.{did_you_mean(output, OUTPUTS)}")
    if image not in SIZES:
        raise SettingError(f"image is {image!r}; allowed: {', '.join(SIZES)}.{did_you_mean(image, SIZES)}")
    ending = "" if output == "logits" else "sigmoid" if model.labels == "several" else "softmax"
    auto = AUTO in to
    if auto and len(to) > 1:
        raise SettingError(
            f'"{AUTO}" takes every runtime that is installed. Name it alone, or name those that you want.'
        )
    to = every_way(int8=bool(photos.validation and photos.train)) if auto else to
    check_runtimes(to)
    to = sorted(to, key=lambda name: find_way(name)[0].program)  # never the bundle's first, where there is another
    net, sides = model.net(), None
    if image == "dynamic":
        to = dynamic_ways(to) if auto else to
        check_dynamic(net, to)
        sides = sides_around(model.arch, model.preprocess.image)
    check_form(model, photos)
    known, trained_on = trained_on is not None, trained_on or frozenset()
    threads = threads or available_cores()
    split, chosen = proof_photos(photos, split, model.classes, most, trained_on, chosen_by)
    choice, left_out = None, tuple[str, ...]()
    if int8 := [name for name in to if find_way(name)[1] == "int8"]:
        try:
            choice = read_choice(
                model, photos, calibration=calibration, most=most, max_drop=max_drop, workers=workers,
                trained_on=trained_on,
            )  # fmt: skip
        except DataError as error:
            if not auto:
                raise
            to = [name for name in to if name not in int8]
            why = str(error).removeprefix(f"{photos.root}: ")  # a place that is nobody else's business
            left_out = (f"{', '.join(int8)}: {why}",)
    facts = without_places(model.facts)
    with new_bundle(folder) as place:
        write_model(place / "weights.safetensors", replace(model, facts=facts))
        proven = proven_files(
            net, model.preprocess, to, place, photos=chosen, root=photos.root, split=split, threads=threads,
            workers=workers, uint8=uint8, ending=ending, sides=sides, choice=choice,
        )  # fmt: skip
        default = {}
        if auto:
            ranking = rank(proven.runtimes, [proof.certificate for proof in proven.proofs], place, threads=threads)
            proven, default = proven.ranked(ranking), {"default": ranking.default}
        first = proven.proofs[0]
        found = versions()
        write_text(place / "predict.py", predict_source(found.get("linnet-vision", "(version unknown)")))
        card = model_card(
            name=name,
            arch=model.arch,
            classes=model.classes,
            preprocess=model.preprocess,
            parameters=sum(p.numel() for p in net.parameters()),
            metrics=first.runtime,
            certificates=[proof.certificate for proof in proven.proofs],
            runtimes=proven.runtimes,
            drop=str(first.drop),
            counts=counts or {},
            facts=facts,
            past_known=known,
        )
        write_text(place / "README.md", card)
        seal(
            place,
            {
                "name": name,
                "arch": model.arch.to_json(),
                "labels": model.labels,
                "classes": list(model.classes),
                "preprocess": model.preprocess.to_json(),
                "metrics": {"split": split, **first.runtime.to_json()},
                "runtimes": [runtime.to_json() for runtime in proven.runtimes],
                **default,
                "certificates": [proof.certificate for proof in proven.proofs],
                **({"failed": [*left_out, *proven.failures]} if left_out or proven.failures else {}),
                "images": {"split": split, "names": list(first.names), **({} if known else {"trained_on": "unknown"})},
                "licence": facts.get("licence"),
                "facts": facts,
                "versions": found,
            },
        )
    return read_bundle(folder)


def proof_photos(
    photos: Photos,
    split: str,
    classes: Sequence[str],
    most: int,
    trained_on: frozenset[str],
    chosen_by: frozenset[str] = frozenset(),
) -> tuple[str, tuple[Photo, ...]]:
    """Which photos a proof uses: those of `split` (validation where there are no test photos) that were not trained on;
    test photos are none of those by which the weights were chosen either.

    More than `most` are thinned by their content's hash, the same ones each time.
    Raises: DataError when none are left, SettingError for a split that proves nothing.
    """
    from ..errors import DataError, SettingError
    from ..evaluation.evaluate import photos_of

    if split not in ("test", "validation"):
        raise SettingError(f"split is {split!r}; a proof is made on 'test' or 'validation' photos.")
    if most < 1:
        raise SettingError(f"most is {most}; give 1 or more photos.")
    if split == "test" and not photos.test and photos.validation:
        split = "validation"
    known = trained_on | chosen_by if split == "test" else trained_on
    chosen = [photo for photo in photos_of(photos, split, classes) if photo.digest not in known]
    if not chosen:
        raise DataError(
            f"{photos.root}: all {split} photos were trained on, or chose the epoch, so they prove nothing. Give others."
        )
    if len(chosen) > most:
        taken = set(sorted({photo.digest for photo in chosen})[:most])
        chosen = [photo for photo in chosen if photo.digest in taken][:most]
    return split, tuple(chosen)


def without_places(facts: Mapping[str, Any]) -> dict[str, Any]:
    """A model's facts without the folders of this machine: a bundle goes out to strangers."""
    facts = dict(facts)
    recipe, source = facts.get("recipe"), facts.get("source")
    if isinstance(recipe, Mapping):
        places = {name: recipe[name] for name in ("photos", "teacher", "pretrained") if recipe.get(name)}
        facts["recipe"] = {**recipe, **{name: last_name(str(place)) for name, place in places.items()}}
    if isinstance(source, str):
        facts["source"] = last_name(source)
    return facts


def last_name(place: str) -> str:
    """Of a file or folder; an address, "hf:timm/..." or "https://...", may be known as it stands."""
    return place if re.match(r"[a-z-]{2,}:", place) else re.split(r"[/\\]", place.rstrip("/\\"))[-1]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, or an empty one where there is none."""
    import json

    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
