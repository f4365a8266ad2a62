"""What is worth knowing of the photos as a whole, in sentences: what was seen, what it means, what can be done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import leaks
from .balance import FEW, give_aways, half_width
from .near import groups_of
from .shape import LONG, elongated, enlarged, seen_shares

if TYPE_CHECKING:
    from .doctor import Diagnosis

UNEVEN = 3  # from this ratio of the largest class to the smallest on, it is said
CROPPED = 0.5  # photos of which the network sees less than this share are said to lose much


@dataclass(frozen=True)
class Remark:
    """One thing about the photos as a whole."""

    topic: str  # near-duplicates, labels, balance, size, crop, light, give-away
    seen: str
    meaning: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.seen} {self.meaning} {self.remedy}".strip()


def remarks(diagnosis: Diagnosis) -> tuple[Remark, ...]:
    """All remarks, the gravest first."""
    makers = (_leaks, _contradictions, _copies, _suspects, _balance, _few, _give_aways, _light, _enlarged, _cropped)
    return tuple(remark for make in makers for remark in make(diagnosis))


def _leaks(d: Diagnosis) -> list[Remark]:
    told = leaks.across(d.photos, d.alike)
    if not told:
        return []
    parts = [f"{n:,} of the {len(d.photos.splits[split]):,} {split} photos" for split, n in told.items()]
    n = sum(told.values())
    seen = f"{' and '.join(parts)} {'look' if n > 1 else 'looks'} like photos of an earlier split."
    meaning = "They are nearly known from training: the accuracy measured on them is too high."
    how = (
        "with each group of look-alikes in one split" if d.photos.was_split else "without the copies in earlier splits"
    )
    remedy = f"Look at the pairs; `--out FOLDER` writes photos.csv, {how}, to be trained on instead of the folder."
    if leaks.as_csv(leaks.apart(d.photos, d.alike) or (), d.photos) is None:  # packed, or of names that no CSV holds
        remedy = "Look at the pairs, and take the copies out of the earlier splits."
        if any(photo.packed for photo in d.everything):
            remedy += " Then pack the photos anew."
    return [Remark("near-duplicates", seen, meaning, remedy)]


def _contradictions(d: Diagnosis) -> list[Remark]:
    pairs = leaks.contradictions(d.photos, d.alike)
    if not pairs:
        return []
    seen = f"{len(pairs):,} {_plural(len(pairs), 'pair')} of look-alikes {'have' if len(pairs) > 1 else 'has'} different labels."
    return [Remark("near-duplicates", seen, "One of the two labels is wrong, or the classes overlap.", "Look at them.")]


def _copies(d: Diagnosis) -> list[Remark]:
    if not d.alike.pairs:
        return []
    groups = groups_of(d.alike.pairs)
    photos = sum(map(len, groups))
    seen = f"{photos:,} photos are near-duplicates of others, in {len(groups):,} {_plural(len(groups), 'group')}."
    if not d.alike.complete:
        seen += " So many look alike that not every pair was compared: there may be more."
    meaning = "Each group teaches little more than one photo."
    return [Remark("near-duplicates", seen, meaning, "Inside one split they do no harm beyond that.")]


def _suspects(d: Diagnosis) -> list[Remark]:
    check = d.labels
    if check is None or not check.suspects:
        return []
    fresh = sum(not suspect.seen for suspect in check.suspects)
    known = len(check.suspects) - fresh
    parts = [f"{fresh:,} of {check.held_out:,} held-out photos"] * bool(check.held_out)
    parts += [f"{known:,} of {check.seen:,} photos that it was trained on"] * bool(check.seen)
    wrong = check.held_out - check.right
    seen = f"The model is confident that {' and '.join(parts)} show something else than their label says."
    meaning = "Each is a wrong label or the model's own mistake"
    meaning += f" (it is wrong, by the labels, for {wrong:,} of the held-out photos)." if check.held_out else "."
    return [Remark("labels", seen, meaning, "Look at the pictures, and move those that lie in the wrong folder.")]


def _balance(d: Diagnosis) -> list[Remark]:
    even = d.balance
    if even is None or even.ratio <= UNEVEN:
        return []
    seen = (
        f"The largest class of train has {even.ratio:.1f} times the photos of the smallest ({even.largest!r},"
        f" {even.smallest!r}); the {len(d.photos.classes):,} classes are as hard to guess as {even.effective_classes:.1f} of equal size."
    )
    meaning = f"Always saying {even.largest!r} would be right in {even.largest_share:.1%}, and rare classes are learnt less well."
    if d.photos.several:
        seen = (
            f"{even.ratio:.1f} times as many photos of train have the label {even.largest!r} as have {even.smallest!r}."
        )
        rare = "Rare labels are learnt less well."
        return [Remark("balance", seen, rare, "Add photos of them, and look at each label's average precision.")]
    return [
        Remark(
            "balance",
            seen,
            meaning,
            "Train with class_weights=balanced or sampling=balanced, and look at each class's recall.",
        )
    ]


def _few(d: Diagnosis) -> list[Remark]:
    split = next((split for split in ("test", "validation") if d.photos.splits[split]), None)
    if split is None:
        return []
    name, n = min(d.counts[split].items(), key=lambda item: item[1])
    if half_width(n) < 0.15:
        return []
    seen = f"{name!r} has {n:,} {_plural(n, 'photo')} in {split}."
    meaning = (
        f"Its recall is known to within {100 * min(0.5, half_width(n)):.0f} points only (95 % interval)."
        if n
        else "Its recall cannot be measured."
    )
    return [Remark("balance", seen, meaning, f"Add photos to {split} if that class matters.")]


def _give_aways(d: Diagnosis) -> list[Remark]:
    if not d.shapes:
        return []
    grey = set(d.tones.grey)
    size, n = Counter(d.shapes).most_common(1)[0]
    marks = {"without colour": [n in grey for n in range(len(d.shapes))]}
    marks |= {f"{kind} files": [own == kind for own in d.kinds] for kind in sorted(set(d.kinds))}
    if n >= FEW:
        marks[f"{size[0]} × {size[1]} pixels"] = [own == size for own in d.shapes]
    marks["upright (higher than wide)"] = [high > wide for wide, high in d.shapes]
    found = give_aways([photo.labels for photo in d.everything], marks, d.photos.classes)
    return [
        Remark(
            "give-away",
            f"{one.share:.0%} of {one.label!r} are {one.mark}, of the other photos {one.elsewhere:.0%}.",
            "A network may learn that instead of what the pictures show, and fail on photos from elsewhere.",
            "Mix the sources, or bring all photos to one form.",
        )
        for one in found
    ]


def _light(d: Diagnosis) -> list[Remark]:
    told = [
        (len(d.tones.black), "almost black"),
        (len(d.tones.white), "almost white"),
        (len(d.tones.uniform), "of one colour"),
    ]
    parts = [f"{n:,} {what}" for n, what in told if n]
    if not parts:
        return []
    seen = f"Pictures that show next to nothing: {', '.join(parts)}."
    return [
        Remark("light", seen, "Nothing can be learnt from them but noise.", "Look at them, and remove what is empty.")
    ]


def _enlarged(d: Diagnosis) -> list[Remark]:
    small = len(enlarged(d.shapes, d.preprocess))
    if not small:
        return []
    seen = f"{small:,} of {len(d.shapes):,} photos have a side below {d.preprocess.resize} pixels, to which a network at {d.preprocess.image} px enlarges it."
    return [Remark("size", seen, "They look blurred to it.", "If most are that small, use a smaller image size.")]


def _cropped(d: Diagnosis) -> list[Remark]:
    shares = sorted(seen_shares(d.shapes, d.preprocess))
    long = len(elongated(d.shapes))
    lost = sum(share < CROPPED for share in shares)
    if not lost:
        return []
    seen = (
        f"At evaluation the network sees the middle square: {shares[len(shares) // 2]:.0%} of a picture's area (median);"
        f" less than half of {lost:,} of {len(shares):,} photos"
        f"{f', of which {long:,} are more than {LONG:g} times as long as short' if long else ''}."
    )
    remedy = (
        "Where things lie at the edge, cut the photos yourself, or set the mode to squash in the recipe's preprocess."
    )
    return [Remark("crop", seen, "What lies at the ends is never seen.", remedy)]


def _plural(n: int, word: str) -> str:
    return word if n == 1 else f"{word}s"
