"""The verb `table`: a network as its paper prints it, with what every row costs; or a paper's steps, one network a row."""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, get_args, overload

from ..arch.names import find
from ..arch.show import Cell, Sheet, show
from ..arch.spec import Arch
from ..errors import SettingError, did_you_mean
from .need import Precision, TrainMemory

if TYPE_CHECKING:
    from ..arch.steps import Steps
    from .count import Counts, Row

Format = Literal["text", "markdown", "html", "json", "timm", "tensorflow"]
COLUMNS = ("row", "operator", "output", "channels", "layers", "stride", "params", "BN stats", "MAdds")


@dataclass(frozen=True)
class Table:
    """A network with its counts. `print` shows it in the format that was asked for."""

    arch: Arch
    counts: Counts
    format: Format = "text"

    def __str__(self) -> str:
        if self.format == "json":
            import json

            return json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        if self.format in ("timm", "tensorflow"):
            from ..arch.blocks import write_blocks

            return "\n".join(write_blocks(self.arch, self.format))
        return show(self.sheet(), self.format)

    def sheet(self) -> Sheet:
        """The rows as `linnet.arch.show` takes them."""
        counts, total = self.counts, self.counts.total
        attention = bool(total.attention_madds)
        cells = tuple(_cells(row, attention) for row in counts.rows)
        whole: tuple[Cell, ...] = ("total", None, None, None, None, total.stride, total.params, total.bn_stats,
                                   total.madds, *([total.attention_madds] if attention else []))  # fmt: skip
        image = "{} x {}".format(*counts.image)
        source = f" ({self.arch.source})" if self.arch.source else ""
        note = (
            f"{total.params:,} trainable + {total.bn_stats:,} BN statistics = {total.params + total.bn_stats:,};"
            f" {total.activations:,} activations"
        )
        columns = (*COLUMNS, *(["attention"] if attention else []))
        return Sheet(f"{self.arch.name} at {image}{source}", columns, cells, whole, note)

    def to_json(self) -> dict[str, Any]:
        """Every count of every row, and the network itself."""
        return {
            "name": self.arch.name,
            "image": list(self.counts.image),
            "rows": [row.to_json() for row in self.counts.rows],
            "total": self.counts.total.to_json(),
            "arch": self.arch.to_json(),
        }


@dataclass(frozen=True)
class StepTable:
    """A paper's steps with their counts. `print` shows it in the format that was asked for."""

    steps: Steps
    counts: tuple[Counts, ...]
    format: Format = "text"

    def __str__(self) -> str:
        if self.format == "json":
            import json

            return json.dumps(self.to_json(), indent=1, ensure_ascii=False)
        assert self.format not in ("timm", "tensorflow")
        return show(self.sheet(), self.format)

    def sheet(self) -> Sheet:
        """A row per step; columns in which no row has anything are left out."""
        rows, totals = self.steps.rows, [counts.total for counts in self.counts]
        images = [counts.image[0] for counts in self.counts]
        columns: dict[str, list[Cell]] = {
            "step": [row.name for row in rows],
            "image": [*images] if len(set(images)) > 1 else [],
            "params": [total.params for total in totals],
            "MAdds": [total.madds for total in totals],
            "attention": [total.attention_madds or None for total in totals],
            "paper's M params": _as_printed([row.params for row in rows]),
            "paper's G MAdds": _as_printed([row.gmadds for row in rows]),
            "paper's top-1": _as_printed([row.top1 for row in rows]),
            "paper's ms": _as_printed([row.latency_ms for row in rows]),
        }
        shown = {name: column for name, column in columns.items() if any(cell is not None for cell in column)}
        title = f"{self.steps.title} ({self.steps.source})"
        return Sheet(title, tuple(shown), tuple(zip(*shown.values(), strict=True)), note=self.steps.note)

    def to_json(self) -> dict[str, Any]:
        """Every step: what is counted, what the paper says (null where it says nothing), and the network itself."""
        return {
            "title": self.steps.title,
            "source": self.steps.source,
            "note": self.steps.note,
            "steps": [
                {
                    "name": step.name,
                    "image": list(counts.image),
                    "counted": counts.total.to_json(),
                    "paper": {f.name: getattr(step, f.name) for f in fields(step) if f.name not in ("name", "arch")},
                    "arch": step.arch.to_json(),
                }
                for step, counts in zip(self.steps.rows, self.counts, strict=True)
            ],
        }


def _as_printed(values: list[float | None]) -> list[Cell]:
    """With as many decimals as the most exact of them has: 4.1 beside 4.09 is 4.10, as the paper's column has it."""
    digits = max((len(f"{v}".partition(".")[2]) for v in values if v is not None), default=0)
    return [None if v is None else Decimal(f"{v:.{digits}f}") for v in values]


@overload
def table(name: str, *, image: int | None = None, format: Format = "text", width: float = 1.0, depth: float = 1.0,
          classes: int | None = None) -> Table: ...  # fmt: skip
@overload
def table(name: str, *, train_memory: Literal[True], batch: int = 32, precision: Precision = "fp32",
          image: int | None = None, width: float = 1.0, depth: float = 1.0, classes: int | None = None) -> TrainMemory: ...  # fmt: skip
@overload
def table(name: None = None, *, steps: str, format: Format = "text") -> StepTable: ...
def table(
    name: str | None = None,
    *,
    image: int | None = None,
    format: Format = "text",
    width: float = 1.0,
    depth: float = 1.0,
    classes: int | None = None,
    steps: str | None = None,
    train_memory: bool = False,
    batch: int = 32,
    precision: Precision = "fp32",
) -> Table | StepTable | TrainMemory:
    """Show a network as its paper's table, with parameters, multiply-adds and shapes of every row.

    Args:
        name: Name of the network, such as efficientnet_b0.
        image: Side of the image in pixels; the paper's own if not given.
        format: text, markdown, html or json; timm or tensorflow for the stages as their block strings.
        width: Multiplier of the channels, rounded by the family's own rule.
        depth: Multiplier of the layers of every stage.
        classes: Outputs of the classifier; 1000 if not given.
        steps: Instead of a network, the steps from one to another that a paper measured, with its figures beside what
            is counted: convnext, mobilenetv3, fused, compound or mobilevit-patch.
        train_memory: Instead of its costs, the memory that a training step takes, row by row, without running one.
        batch: Photos of that step.
        precision: Of that step: fp32 or bf16.

    Raises:
        SettingError: the name, the format or a number is not allowed.
    """
    if format not in get_args(Format):
        raise SettingError(
            f"There is no format {format!r}; choose one of {', '.join(get_args(Format))}."
            f"{did_you_mean(format, get_args(Format))}"
        )
    if image is not None and image < 1:
        raise SettingError(f"image is {image}: give a side in pixels, 1 or more.")
    if classes is not None and classes < 1:
        raise SettingError(f"classes is {classes}: give 1 or more.")
    if batch < 2 or precision not in get_args(Precision):
        raise SettingError(f"batch is {batch} and precision {precision!r}: give 2 or more, and fp32 or bf16.")
    if not train_memory and (batch, precision) != (32, "fp32"):
        raise SettingError(
            "--batch and --precision are those of a training step: add --train-memory, or leave them out."
        )
    if train_memory and (steps is not None or format != "text"):
        raise SettingError("--train-memory is for one network, as text (or --json): leave out --steps and --format.")
    if steps is not None:
        return _steps(name, steps, format, plain=(image, width, depth, classes) == (None, 1, 1, None))
    if name is None:
        raise SettingError(
            "Nothing to show: give the NAME of a network, such as efficientnet_b0, or --steps, such as convnext."
        )
    arch = find(name)
    if width != 1 or depth != 1:
        arch = arch.scaled(f"{arch.name}, width {width:g}, depth {depth:g}", width=width, depth=depth)
    if classes is not None:
        arch = arch.with_classes(classes)
    if train_memory:
        from .memory import train_memory as measure

        return measure(arch, image, batch=batch, precision=precision)
    from .count import count

    return Table(arch, count(arch, image), format)


def _steps(name: str | None, steps: str, format: Format, *, plain: bool) -> StepTable:
    from ..arch.steps import find_steps
    from .count import count

    if name is not None:
        raise SettingError(
            f"A network ({name}) and steps ({steps}) cannot be shown at once: leave out NAME or --steps."
        )
    if not plain:
        raise SettingError("Steps have the sizes of their paper: leave out --image, --width, --depth and --classes.")
    if format in ("timm", "tensorflow"):
        raise SettingError(f"Steps cannot be written as block strings: --format {format} is for one network.")
    found = find_steps(steps)
    return StepTable(found, tuple(count(step.arch) for step in found.rows), format)


def _cells(row: Row, attention: bool) -> tuple[Cell, ...]:
    # The operator column says which row of the head it is.
    name = "head" if row.name.startswith("head.") else row.name
    *_, channels = row.output if len(row.output) != 3 else row.output[:1]
    size = {3: "x".join(map(str, row.output[1:])), 2: f"{row.output[0]} tokens"}.get(len(row.output), "")
    counts = (row.params, row.bn_stats, row.madds, *([row.attention_madds] if attention else []))
    return (name, _short(row.operator), size, channels, row.layers, row.stride, *(n or None for n in counts))


def _short(operator: str) -> str:
    """Switches by their name alone, as a paper ticks them: Bneck(exp=72, k=5, se)."""
    return operator.replace("=True", "")
