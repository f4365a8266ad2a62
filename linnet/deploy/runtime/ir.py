"""What an OpenVINO file may hold: OpenVINO's own XML and the numbers beside it, and nothing that works for ever.

Standard library only: the text of this file is copied into every bundle's `predict.py`.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

from ...errors import WeightsError

LARGEST_XML = 2**26  # bytes; those of networks have less than a hundredth
# Layers that run others again and again, or keep something from one picture to the next: no network of ours has them.
ENDLESS = ("Loop", "TensorIterator", "If", "ReadValue", "Assign")
LARGEST_TENSOR = 2**31  # numbers in one layer's result, for a batch of one


def refuse_other_than_ir(model: bytes, weights: bytes) -> None:
    """Make sure that a file is OpenVINO's own XML and that its numbers are those beside it, before OpenVINO sees it.

    OpenVINO takes what it is given for whatever it looks like: an ONNX file under the name model.xml is read as ONNX, and
    then may name other files to be read, anywhere below the working directory.

    Raises: WeightsError.
    """
    # A document type could define what unfolds; another encoding than ASCII's could hide one from this look.
    hidden = (
        re.search(rb"<!(?!--)", model)
        or b"\0" in model
        or re.match(rb"\s*<\?xml[^>]*encoding=(?!.utf-8.)", model, re.I)
    )
    if len(model) > LARGEST_XML or hidden or not model.lstrip().startswith((b"<?xml", b"<net")):
        raise WeightsError("The OpenVINO file is no plain XML of OpenVINO's. Export the bundle again, or copy it anew.")
    try:
        net = ElementTree.fromstring(model)
        for layer in net.iter("layer"):
            check_layer(layer, len(weights))
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise WeightsError(
            f"The OpenVINO file is damaged ({str(error)[:120]}). Export the bundle again, or copy it anew."
        ) from None
    if net.tag != "net":
        raise WeightsError("The OpenVINO file holds no network. Export the bundle again, or copy it anew.")


def check_layer(layer: ElementTree.Element, size: int) -> None:
    """Raises: ValueError for a layer that is not allowed; `size` bytes of numbers are there."""
    kind = layer.get("type", "")
    if kind in ENDLESS:
        raise ValueError(f"it has a {kind}, which is not allowed")
    data = layer.find("data")
    if kind == "Const" and data is not None:
        start, length = int(data.get("offset", "0")), int(data.get("size", "0"))
        if start < 0 or length < 0 or start + length > size:
            raise ValueError("its numbers go beyond the file that holds them")
    for port in layer.iterfind("output/port"):
        numbers = 1
        for dim in port.iterfind("dim"):
            numbers *= max(1, int(dim.text or "1"))
        if numbers > LARGEST_TENSOR:
            raise ValueError(f"its layer {layer.get('name', '')[:40]!r} gives {numbers:,} numbers")
