"""The verb `table`: a network as its paper prints it, with what every row costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from ..arch.names import find
from ..arch.show import Cell, Sheet, show
from ..arch.spec import Arch
from ..errors import SettingError, did_you_mean

if TYPE_CHECKING:
    from .count import Counts, Row

Format = Literal["text", "markdown", "html", "json"]
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


def table(
    name: str,
    *,
    image: int | None = None,
    format: Format = "text",
    width: float = 1.0,
    depth: float = 1.0,
    classes: int | None = None,
) -> Table:
    """Show a network as its paper's table, with parameters, multiply-adds and shapes of every row.

    Args:
        name: Name of the network, such as efficientnet_b0.
        image: Side of the image in pixels; the paper's own if not given.
        format: text, markdown, html or json.
        width: Multiplier of the channels, rounded by the family's own rule.
        depth: Multiplier of the layers of every stage.
        classes: Outputs of the classifier; 1000 if not given.

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
    arch = find(name)
    if width != 1 or depth != 1:
        arch = arch.scaled(f"{arch.name}, width {width:g}, depth {depth:g}", width=width, depth=depth)
    if classes is not None:
        arch = arch.with_classes(classes)
    from .count import count

    return Table(arch, count(arch, image), format)


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
