"""Writes the golden tables anew: `make golden`. Look at the difference before you commit it.

tests/cost/test_table.py compares each file with what its line here says. architectures.json is not written here: it was
counted on other libraries.
"""

from __future__ import annotations

from pathlib import Path

from linnet.cost.table import table

TABLES = {
    "mobilenetv1_100.txt": lambda: table("mobilenetv1_100"),
    "mobilenetv2_100.txt": lambda: table("mobilenetv2_100"),
    "mobilenetv3_small_100.txt": lambda: table("mobilenetv3_small_100"),
    "semnasnet_100.txt": lambda: table("semnasnet_100"),
    "efficientnet_b0.txt": lambda: table("efficientnet_b0"),
    "efficientnet_b0.md": lambda: table("efficientnet_b0", format="markdown"),
    "efficientnet_b0.html": lambda: table("efficientnet_b0", format="html"),
    "efficientnet_b0.json": lambda: table("efficientnet_b0", format="json"),
    "efficientnet_b0_wider.txt": lambda: table("efficientnet_b0", width=1.1, depth=1.2, image=260, classes=10),
    "efficientnet_lite0.txt": lambda: table("efficientnet_lite0"),
    "efficientnetv2_s.txt": lambda: table("efficientnetv2_s"),
    "steps_convnext.txt": lambda: table(steps="convnext"),
}

if __name__ == "__main__":
    for name, make in TABLES.items():
        Path(__file__).with_name(name).write_text(f"{make()}\n", encoding="utf-8")
        print(name)
