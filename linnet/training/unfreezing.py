"""Fine-tuning from the top down: rows of phases that leave ever more of a network to learn."""

from __future__ import annotations

from dataclasses import replace

from ..arch.names import find
from ..arch.spec import Arch, Dropout, MaxPool, Pool
from ..errors import SettingError
from .recipe import Phase

DEFAULT = Phase()


def unfreezing(
    arch: Arch | str, epochs: int, *, each: int = 1, lowest: int = 0, phase: Phase = DEFAULT
) -> tuple[Phase, ...]:
    """Phases with a falling `freeze`: first the classifier alone, then one row of the table more after every `each` epochs.

    The last phase gets what is left of the epochs and leaves all rows to learn but the first `lowest`. Where there are
    fewer epochs than rows, several thaw at a time; a row thaws as a whole (a ViT's encoder is one). Everything else is as
    `phase` says.
    Raises: SettingError when the numbers do not fit each other.
    Source: Howard & Ruder 2018 (ULMFiT), section 3.3, gradual unfreezing.

    >>> [(row.epochs, row.freeze) for row in unfreezing("vit_tiny_patch16_224", 8)]
    [(1, 6), (1, 3), (1, 2), (1, 1), (4, 0)]
    >>> [(row.epochs, row.freeze) for row in unfreezing("mobilenetv3_small_100", 9, each=3)]
    [(3, 14), (3, 6), (3, 0)]
    """
    found = find(arch) if isinstance(arch, str) else arch
    most = found.classifier_row
    if not 0 <= lowest <= most:
        raise SettingError(f"unfreezing: lowest is {lowest}; {found.name} has 0 to {most} rows below its classifier.")
    if each < 1 or epochs < each:
        raise SettingError(
            f"unfreezing: {epochs} epochs do not hold one phase of {each}. Give 1 or more, and not fewer."
        )
    # A row without weights thaws together with the one below it.
    bare = (Dropout, MaxPool, Pool)
    places = [row for row in range(most - 1, lowest - 1, -1) if not isinstance(found.rows[row].ops[0], bare)]
    frozen = [most, *(row for row in places if row != lowest), *([lowest] if lowest < most else [])]
    n = min(len(frozen), epochs // each)
    # With one phase alone, everything learns; else from the classifier to everything, in even steps.
    chosen = [frozen[round(i * (len(frozen) - 1) / (n - 1))] for i in range(n)] if n > 1 else [lowest]
    rest = epochs - each * (n - 1)
    return tuple(replace(phase, epochs=each if i < n - 1 else rest, freeze=row) for i, row in enumerate(chosen))
