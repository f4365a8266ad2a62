"""The bundle's README.md: what the model is, how good, how to use it, its licence and its limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..arch.spec import Arch
from ..data.preprocess import Preprocess
from ..evaluation.label_metrics import SeveralMetrics
from ..evaluation.metrics import Metrics
from .bundle import Runtime
from .choice import int8_notes
from .runtime.known import RUNTIMES, way

CARD = """\
# {name}

{arch} that {does} from {image} x {image} pixels: {parameters:,} parameters, {size} for {title}.
Made with [Linnet](https://github.com/linnet-vision/linnet).

## How good it is

{quality}

Against the network in PyTorch on these photos: accuracy drop {drop} (one-sided 95 % bound); {same}
on {agreement:.2f} %; one photo takes {median:.1f} ms (median; 90 % under {p90:.1f} ms) with {threads} thread(s) on
{processor}{memory}. `bundle.json` holds the whole certificate.

## How to use it

With Python 3.10 or newer:

    pip install numpy pillow {package}
    python predict.py photo.jpg more-photos/ --top 3{flag}

In Python: `from predict import Classifier; Classifier("FOLDER"{named}).predict("photo.jpg")`. With Linnet installed:
`linnet predict FOLDER photo.jpg{flag}`, and `linnet.read_model("FOLDER")` for the PyTorch weights. In any other program:
{uses}in the order of the classes above. An image is made so: {preprocess}.
{table}{int8}{program}
## What it learnt from

{data}

## Licence

{licence}

## Limits

- {answers}
- The figures hold for photos like those it was measured on; another camera, place or time may give others.
- {absent}
"""


def model_card(
    *,
    name: str,
    arch: Arch,
    classes: Sequence[str],
    preprocess: Preprocess,
    parameters: int,
    metrics: Metrics | SeveralMetrics,
    certificates: Sequence[Mapping[str, Any]],
    runtimes: Sequence[Runtime],
    drop: str,
    counts: Mapping[str, Mapping[str, int]],
    facts: Mapping[str, Any],
    past_known: bool = True,
) -> str:
    """Markdown. `counts`: split -> class -> photos, as the data doctor wrote them; empty if unknown.

    `past_known`: whether it is known which photos the network was trained on. The figures are those of the first of
    `runtimes`, whose `certificates` come in the same order.
    """
    certificate, known = certificates[0], RUNTIMES[runtimes[0].runtime]
    inside = runtimes[0].input == "uint8"
    latency = certificate["latency"]
    split = certificate["images"]["split"]
    on = f"{metrics.n:,} {split} photos" + (
        ", which chose nothing" if split == "test" else ", by which its weights were also chosen"
    )
    if not past_known:
        on = f"{metrics.n:,} photos, of which it is not known whether it was trained on them"
    if side := certificate["images"].get("packed"):
        on += f" (resized to a short side of {side} pixels before)"
    one_label = isinstance(metrics, Metrics)
    each = metrics.per_class if one_label else metrics.per_label
    few = [plain(classes[c]) for c, one in enumerate(each) if one.n < 10]
    return CARD.format(
        name=name,
        arch=arch.name,
        image=preprocess.image,
        parameters=parameters,
        title=known.title,
        package=known.package,
        uses=uses(runtimes, preprocess.image, len(classes)),
        table=table(runtimes, certificates),
        int8="".join(f"\n{note}.\n" for note in int8_notes(certificates)),
        flag=f" --runtime {known.name}" if known.program else "",
        named=f', runtime="{known.name}"' if known.program else "",
        program=program_note(certificates),
        size=f"{certificate['size_bytes'] / 1e6:.1f} MB",
        does=f"tells {len(classes)} classes apart"
        if one_label
        else f"says which of {len(classes)} labels a picture has",
        quality=quality(metrics, classes, on) if one_label else quality_of_labels(metrics, classes, on),
        answers=f"It always answers with one of its {len(classes)} classes, also for a picture of something else."
        if one_label
        else f"It knows its {len(classes)} labels and nothing else; what is under a probability of 0.5 it does not say.",
        drop=drop,
        same="same first answer" if one_label else "all labels the same",
        agreement=100 * certificate["top1_agreement" if one_label else "label_set_agreement"],
        median=latency["median_ms"],
        p90=latency["p90_ms"],
        threads=latency["threads"],
        processor=certificate["machine"]["processor"],
        memory=f", taking {took} of memory in all" if (took := memory(certificate)) else "",
        preprocess=preparation(preprocess, inside=inside),
        data=learnt_from(counts, several=not one_label),
        licence=licence(facts),
        absent=f"Measured on fewer than 10 photos, so hardly known: {', '.join(few)}."
        if few
        else "Its probabilities are as honest as the calibration error says, no more.",
    )


def quality(metrics: Metrics, classes: Sequence[str], on: str) -> str:
    """How good it is `on` these photos, in words, and a table of the classes."""
    low, high = metrics.top1_interval
    rows = [
        f"| {plain(classes[c])} | {one.n:,} | {share(one.precision)} | {share(one.recall)} | {share(one.f1)} |"
        for c, one in enumerate(metrics.per_class)
    ]
    return "\n".join(
        [
            f"Top-1 accuracy **{share(metrics.top1)}** (95 % interval {100 * low:.1f} to {100 * high:.1f}) on {on};",
            f"macro F1 {share(metrics.macro_f1)}, calibration error {100 * metrics.calibration_error:.1f} points.",
            "",
            "| class | photos | precision | recall | F1 |",
            "|---|---:|---:|---:|---:|",
            *rows,
        ]
    )


def quality_of_labels(metrics: SeveralMetrics, classes: Sequence[str], on: str) -> str:
    """`quality` of several labels each."""
    low, high = metrics.mean_average_precision_interval
    rows = [
        f"| {plain(classes[c])} | {one.n:,} | {share(one.average_precision)} | {share(one.precision)} |"
        f" {share(one.recall)} | {share(one.f1)} |"
        for c, one in enumerate(metrics.per_label)
    ]
    return "\n".join(
        [
            f"Mean average precision **{share(metrics.mean_average_precision)}** (95 % interval {100 * low:.1f} to"
            f" {100 * high:.1f}) on {on};",
            f"micro F1 {share(metrics.micro_f1)}, macro F1 {share(metrics.macro_f1)}, every label right on"
            f" {share(metrics.exact_match)}.",
            "",
            "| label | photos | average precision | precision | recall | F1 |",
            "|---|---:|---:|---:|---:|---:|",
            *rows,
        ]
    )


def share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def plain(text: str) -> str:
    """A class's name inside a Markdown table: no line break, no bar, no HTML."""
    one_line = " ".join(text.split())
    return one_line.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def program_note(certificates: Sequence[Mapping[str, Any]]) -> str:
    """What is to be known of a file that is machine code; nothing where there is none."""
    for one in certificates:
        if made := one.get("compiled_for"):
            return (
                f"\n`{RUNTIMES[one['runtime']].files[0]}` is machine code, compiled for {made['machine']} processors with"
                f" {made['instructions']}, and needs torch {made['torch']}. Loading it is running a program: it is only loaded where"
                f" it is named, with `--runtime {one['runtime']}`.\n"
            )
    return ""


def uses(runtimes: Sequence[Runtime], image: int, classes: int) -> str:
    """What each file takes and gives."""
    lines = dict.fromkeys(
        f"`{one.file}` takes `images`, {one.input} {RUNTIMES[one.runtime].shape(image, one.input, one.sides)}, and gives `{one.output}`,"
        f" float32 [{RUNTIMES[one.runtime].batch}, {classes}],\n"
        for one in runtimes
    )
    return "".join(lines)


def table(runtimes: Sequence[Runtime], certificates: Sequence[Mapping[str, Any]]) -> str:
    """Of several runtimes, what each weighs, takes and how fast it was; of a single one nothing, since it is said above."""
    if len(runtimes) < 2:
        return ""
    rows = [
        f"| {RUNTIMES[one.runtime].title} | {one.precision} | {said['size_bytes'] / 1e6:.1f} MB | {memory(said) or '–'} |"
        f" {said['latency']['median_ms']:.1f} ms | `--runtime {way(one.runtime, one.precision)}` |"
        for one, said in zip(runtimes, certificates, strict=True)
    ]
    head = ["| runtime | precision | size | memory | one photo | with predict.py |", "|---|---|---:|---:|---:|---|"]
    return "\n".join(["", *head, *rows, ""])


def memory(certificate: Mapping[str, Any]) -> str:
    """The most that a process took to load the model and predict once; nothing where the system did not say it."""
    said = certificate.get("memory")
    return f"{said['peak_bytes'] / 1e6:.0f} MB" if said else ""


def preparation(p: Preprocess, *, inside: bool = False) -> str:
    """How pixels become numbers, in words; without the normalisation where that is `inside` the model."""
    size = (
        f"the short side brought to {p.resize} pixels ({p.interpolation}), the middle {p.image} x {p.image} cut out"
        if p.mode == "crop"
        else f"brought to {p.image} x {p.image} pixels ({p.interpolation})"
    )
    turned = "turned upright by EXIF, " if p.upright else ""
    mean, std = (", ".join(f"{value:.4g}" for value in values) for values in (p.mean, p.std))
    if inside:
        return f"{turned}{size}, RGB, as whole numbers from 0 to 255"
    return f"{turned}{size}, {p.channels}, divided by 255, less ({mean}), divided by ({std})"


def learnt_from(counts: Mapping[str, Mapping[str, int]], *, several: bool = False) -> str:
    """`counts` are of labels: of `several`, a photo may have many or none."""
    if not counts:
        return "The run that made it left no list of its photos."
    sums = ", ".join(f"{sum(classes.values()):,} for {split}" for split, classes in counts.items())
    train = counts.get("train", {})
    least, most = min(train, key=train.__getitem__, default=""), max(train, key=train.__getitem__, default="")
    spread = (
        f" In train the classes have {train[least]:,} ({plain(least)}) to {train[most]:,} ({plain(most)})."
        if train
        else ""
    )
    if train and train[least] == train[most]:
        spread = f" In train each class has {train[least]:,}."
    return f"{'Labels of photos' if several else 'Photos'}: {sums}.{spread}"


def licence(facts: Mapping[str, Any]) -> str:
    """Of the weights it was made from; what was learnt from the photos is the owner's own matter."""
    given = facts.get("licence") or ("unknown" if "source" in facts else None)
    if not given:
        return "Trained from scratch: its licence is for whoever trained it and owns the photos to say."
    name, places = (given.get("name"), given.get("read_in", [])) if isinstance(given, Mapping) else (given, [])
    if name == "unknown":
        return (
            "Fine-tuned from weights of a file, whose licence is unknown: ask whoever made them before you pass it on."
        )
    start = facts.get("pretrained") or facts.get("source") or "pretrained weights"
    read = "".join(f"\n- read in {plain(str(place))}" for place in places)
    return f"Fine-tuned from {plain(str(start))}, which is under {plain(str(name))}; the photos' own licence comes on top.{read}"
