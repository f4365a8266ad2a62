"""The verb `watch`: how a run stands, read from what it writes down, in another process or after it has ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .text import duration, finite, inert, number, percent, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EVERY = 1.0  # seconds between two looks
PLAIN_EVERY = 10.0  # seconds between two plain lines, where there is no terminal
QUIET = 120.0  # seconds without a new line after which that is said
BARS = "▁▂▃▄▅▆▇█"
SHOWN = 40  # epochs of the validation history
TAIL = 256  # bytes by which a log is known again


@dataclass(frozen=True)
class Standing:
    """Where a run stands. Epochs and phases count from 1; None where the run has not said it yet."""

    run: str
    arch: str
    epoch: int
    epochs: int
    phase: int
    phases: int
    image: int | None
    loss: float | None
    lr: float | None
    images_per_second: float | None
    done: float  # share of the training's pixels, 0 to 1
    seconds_left: float | None
    validation: tuple[tuple[int, float], ...]  # (epoch, accuracy)
    best_epoch: int | None
    ended: bool
    quiet_seconds: float | None  # since the last line of the log
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        return {**self.__dict__, "validation": [list(one) for one in self.validation]}

    def line(self) -> str:
        """All in one line, for a pipe."""
        parts = [f"epoch {self.epoch}/{self.epochs}", f"{self.image or '?'} px"]
        parts += [f"loss {self.loss:.3f}"] if self.loss is not None else []
        parts += [f"{number(self.images_per_second)} images/s"] if self.images_per_second else []
        parts += [f"{100 * self.done:.0f} %"]
        parts += [f"{duration(self.seconds_left)} left"] if self.seconds_left is not None and not self.ended else []
        parts += [f"validation {percent(self.validation[-1][1])}"] if self.validation else []
        return "  ".join(parts).replace("\u00a0", " ")

    def __str__(self) -> str:
        full = round(24 * self.done)
        rows = [
            ("epoch", f"{self.epoch} of {self.epochs}, phase {self.phase} of {self.phases}, {self.image or '?'} px"),
            ("done", f"{'█' * full}{'░' * (24 - full)} {100 * self.done:.0f} %{self._left()}"),
        ]
        if self.loss is not None:
            rows.append(("loss", f"{self.loss:.3f}" + (f"   rate {plain(self.lr, 3)}" if self.lr is not None else "")))
        if self.images_per_second:
            rows.append(("speed", f"{number(self.images_per_second)} images/s"))
        if self.validation:
            epoch, now = self.validation[-1]
            best = max(self.validation, key=lambda one: one[1])
            text = f"{sparkline([value for _, value in self.validation])} {percent(now)} after epoch {epoch}"
            rows.append(
                ("validation", text + (f", best {percent(best[1])} after {best[0]}" if best[0] != epoch else ""))
            )
        if self.note:
            rows.append(("note", self.note))
        if self.ended:
            rows.append(("ended", f"epoch {self.best_epoch} is the best" if self.best_epoch else "yes"))
        elif self.quiet_seconds is not None and self.quiet_seconds > QUIET:
            rows.append(("quiet", f"no new line for {duration(self.quiet_seconds)}: it may have been stopped"))
        lines = [f"{self.run}  {self.arch}", "", *(f"{name:12}{value}" for name, value in rows)]
        return "\n".join(lines).replace("\u00a0", " ")

    def _left(self) -> str:
        return "" if self.ended or self.seconds_left is None else f", about {duration(self.seconds_left)} left"


def watch(run: Path, *, once: bool = False) -> Standing:
    """Follow a run that is training, in another process or on another machine's disk; leave when it ends.

    It only reads: Ctrl-C ends the watching and leaves the run alone.

    Args:
        run: The folder of a run, as `linnet train` or `linnet fit` makes it.
        once: Say how it stands now, and leave.

    Raises: SettingError when the folder holds nothing of a run.
    """
    told = read_on(run, NOTHING)
    standing = standing_of(run, told)
    if once or standing.ended:
        return standing
    try:
        with display() as show:
            while not standing.ended:
                show(standing)
                time.sleep(EVERY)
                told = read_on(run, told)
                standing = standing_of(run, told)
    except KeyboardInterrupt:  # the run, in a process of its own, does not hear of it
        pass
    return standing


@contextmanager
def display() -> Iterator[Callable[[Standing], None]]:
    """A picture that is drawn anew in a terminal; in a pipe a line for each epoch, and one now and then."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
            yield lambda standing: live.update(Text(str(standing)), refresh=True)
        return
    said: tuple[str, int, float] = ("", -1, 0.0)

    def show(standing: Standing) -> None:
        nonlocal said
        text, checked, now = standing.line(), len(standing.validation), time.monotonic()
        if text != said[0] and (checked != said[1] or now - said[2] >= PLAIN_EVERY):
            said = (text, checked, now)
            print(text, file=sys.stderr, flush=True)

    yield show


@dataclass(frozen=True)
class Told:
    """What a run has written down, as far as it was read: the log's whole lines, `read` bytes, of which `tail` are the last.

    `photos`: of train; 0 as long as that is not known. A log is long and data.json may be: neither is read twice.
    """

    recipe: Mapping[str, Any]
    photos: int
    lines: tuple[Mapping[str, Any], ...]
    read: int
    tail: bytes


NOTHING = Told({}, 0, (), 0, b"")


def read_on(run: str | Path, before: Told) -> Told:
    """What is new since `before`. A half-written last line, or a part that is not there yet, is left for the next time.

    Raises: SettingError when there is no such folder, or nothing of a run in it.
    """
    from ..errors import SettingError
    from .folder import parsed_lines, photos_in, read_object

    folder = Path(run)
    if not folder.is_dir():
        raise SettingError(f"{folder}: there is no such folder. Give the folder of a run, such as runs/NAME.")
    recipe = before.recipe or read_object(folder / "recipe.json", {})
    photos = before.photos or photos_in(read_object(folder / "data.json", {}), "train")
    lines, start, new = before.lines, before.read, b""
    try:
        with open(folder / "log.jsonl", "rb") as file:
            file.seek(before.read - len(before.tail))
            if file.read(len(before.tail)) != before.tail:  # a resumed run begins with a shorter log
                lines, start = (), 0
                file.seek(0)
            new = file.read()
    except OSError:  # not there yet, or the disk is gone for a moment
        pass
    new = new[: new.rfind(b"\n") + 1]
    lines += tuple(parsed_lines(new)[0])
    if not (recipe or photos or lines):
        raise SettingError(f"{folder}: nothing of a run is in this folder. Give the one that `linnet train` wrote.")
    return Told(recipe, photos, lines, start + len(new), (before.tail * (start > 0) + new)[-TAIL:])


def standing_of(run: str | Path, told: Told | None = None) -> Standing:
    """How a run stands, by what it has told.

    Raises: what `read_on` raises, where nothing was read yet.
    """
    folder, told = Path(run), told or read_on(run, NOTHING)
    recipe, photos, lines = told.recipe, told.photos, told.lines
    phases = [phase for phase in recipe.get("phases") or [] if isinstance(phase, dict) and finite(phase.get("epochs"))]
    epochs = int(sum(phase["epochs"] for phase in phases))
    steps = [line for line in lines if line.get("kind") == "step" and finite(line.get("epoch"))]
    over = [line for line in lines if line.get("kind") == "epoch" and finite(line.get("epoch"))]
    last = max(steps[-1:] + over[-1:], key=lambda line: line["epoch"], default={})
    finished = 1 + max((int(line["epoch"]) for line in over), default=-1)
    epoch = min(max(int(last.get("epoch", 0)), finished), max(epochs - 1, 0))
    ended = bool(lines and lines[-1].get("kind") == "end") or (0 < epochs <= finished)
    row = next((i for i, e in enumerate(_rows(phases)) if e > epoch), 0)
    work, before = _work(phases, photos), 0.0
    if work and not ended:
        here = [line for line in steps if line["epoch"] == epoch]
        pixels = _batch(phases[row]) * phases[row]["image"] ** 2  # of each batch, whatever its size
        seen = ((_last(here, "step") or 0) + 1) * pixels if here else 0.0
        before = sum(work[:epoch]) + min(float(seen), work[epoch])
    checked = tuple(
        (int(line["epoch"]) + 1, float(value)) for line in over if (value := figure(line.get("validation"))) is not None
    )
    best = max(checked, key=lambda one: one[1], default=(None, 0.0))[0]
    notes = [line.get("text", "") for line in lines if line.get("kind") == "note" and line.get("text") != "measured"]
    arch = recipe.get("arch") or ""
    path = folder / "log.jsonl"
    return Standing(
        run=inert(folder),
        arch=inert(arch.get("name", "own network") if isinstance(arch, dict) else arch),
        epoch=epoch + 1,
        epochs=epochs,
        phase=row + 1,
        phases=len(phases),
        image=last.get("image") if last else (phases[row].get("image") if phases else None),
        loss=_last(steps, "loss"),
        lr=_last(steps, "lr"),
        images_per_second=_speed(steps[-10:]),
        done=1.0 if ended else before / sum(work) if work else 0.0,
        seconds_left=None if ended else _left(sum(work) - before, steps[-10:], over, epochs - finished),
        validation=checked,
        best_epoch=best,
        ended=ended,
        quiet_seconds=max(0.0, time.time() - path.stat().st_mtime) if path.exists() else None,
        note=inert(notes[-1])[:200] if notes else "",
    )


def figure(validation: Any) -> float | None:
    """The figure that the best epoch is chosen by, where one is written down."""
    from .folder import score

    value = score(validation) if isinstance(validation, dict) else None
    return value if finite(value) else None


def sparkline(values: Sequence[float], most: int = SHOWN) -> str:
    """The last values as bars, from the least of them to the greatest.

    >>> sparkline([0, 0.5, 1])
    '▁▅█'
    """
    values = list(values)[-most:]
    low, high = min(values), max(values)
    if high <= low:
        return BARS[-1] * len(values)
    return "".join(BARS[round((value - low) / (high - low) * (len(BARS) - 1))] for value in values)


def _rows(phases: Sequence[Mapping[str, Any]]) -> list[int]:
    """The epoch at which each phase ends."""
    ends, end = [], 0
    for phase in phases:
        end += int(phase["epochs"])
        ends.append(end)
    return ends


def _batch(phase: Mapping[str, Any]) -> int:
    return int(phase.get("batch") or 1)


def _work(phases: Sequence[Mapping[str, Any]], photos: int) -> list[float]:
    """Pixels of each epoch; nothing where it is not known how many photos there are."""
    if not photos or not all(finite(phase.get("image")) for phase in phases):
        return []
    return [photos * _pixels(phase) for phase in phases for _ in range(int(phase["epochs"]))]


def _pixels(phase: Mapping[str, Any]) -> float:
    """Of a picture on average. Of several sizes each batch has one, and as many pixels as the others: small pictures are more."""
    sizes = phase.get("sizes")
    sides = [side for side in sizes if finite(side) and side > 0] if isinstance(sizes, list) else []
    return len(sides) / sum(side**-2 for side in sides) if sides else float(phase["image"] ** 2)


def _left(
    pixels: float, steps: Sequence[Mapping[str, Any]], over: Sequence[Mapping[str, Any]], epochs: int
) -> float | None:
    """Seconds for so many pixels at the present speed, and for the validations of so many epochs."""
    speed, image = _speed(steps), _last(steps, "image")
    if not speed or not image or pixels <= 0:
        return None
    validations = epochs * (_last(over, "validation_seconds") or 0.0)
    return round(pixels / (speed * image**2) + validations, 1)


def _speed(steps: Sequence[Mapping[str, Any]]) -> float | None:
    """The median of the last lines that belong to the present phase: one slow batch says little."""
    image = _last(steps, "image")
    speeds = sorted(
        line["images_per_second"]
        for line in steps
        if finite(line.get("images_per_second")) and line.get("image") == image
    )
    return speeds[len(speeds) // 2] if speeds else None


def _last(lines: Sequence[Mapping[str, Any]], name: str) -> float | None:
    value = lines[-1].get(name) if lines else None
    return value if finite(value) else None
