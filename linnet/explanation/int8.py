"""How a certificate's int8 was made: what the gate found, and a line for each layer that int8 hurts most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .text import finite, number, plain, shortened

# What certificates of int8 state beside all others; rows of `int8_facts`.
INT8 = ("calibration", "quantiser", "gate", "decided", "all_int8", "float_layers", "culprits")


def int8_facts(certificate: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, figure) rows; none of a certificate that is not of int8. Whatever is not as it should be is left out."""
    gate = part(certificate, "gate")
    if not gate:
        return []
    calibration, quantiser = part(certificate, "calibration"), part(certificate, "quantiser")
    layers = listed(certificate, "float_layers")
    names = ", ".join(shortened(one.get("layer", ""), 60) for one in layers)
    rows = [
        ("int8 chosen by", judged(gate)),
        ("with all layers in int8", judged(part(certificate, "all_int8"))),
        ("layers left in float", f"{len(layers)}: {names}" if layers else "none"),
        ("calibrated on", f"{number(calibration['n'])} training photos" if finite(calibration.get("n")) else ""),
        ("ranges", shortened(quantiser.get("setting", ""), 80)),
    ]
    culprits = listed(certificate, "culprits")
    kept = {one.get("layer") for one in layers}
    rows += [
        (f"layer {shortened(one.get('layer', ''), 60)}", culprit(one, one.get("layer") in kept)) for one in culprits
    ]
    return [(name, text) for name, text in rows if text]


def judged(gate: Mapping[str, Any]) -> str:
    """What the gate says, in words."""
    drop, limit = part(gate, "drop"), gate.get("max_drop")
    loss, most, n = (drop.get(key) for key in ("drop", "at_most", "n"))
    if not all(map(finite, (loss, most, n, limit))):
        return ""
    loss, most, limit = map(float, (loss, most, limit))  # pyright: ignore[reportArgumentType]
    sure = "" if gate.get("decided") or not gate.get("passed") else f"; not decidable with {number(n)} images"
    return (
        f"drop of {100 * loss:.1f} points on {number(n)} validation photos, at most {100 * most:.1f}; allowed are"
        f" {100 * limit:.2g}{sure}"
    )


def culprit(one: Mapping[str, Any], left: bool) -> str:
    """How noisy a layer is, and how much nearer the answers come without its rounding."""
    noise, whole, alone = (one.get(key) for key in ("signal_to_noise_db", "divergence_all", "divergence_without"))
    said = [f"signal to noise {noise:.0f} dB"] if finite(noise) else []
    if finite(whole) and finite(alone):
        said.append(f"divergence {plain(whole, 2)}, without it {plain(alone, 2)}")
    return ", ".join(said) + (" (left in float)" if left else "")


def part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def listed(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found = value.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
