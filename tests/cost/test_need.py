from __future__ import annotations

from linnet.arch.names import find
from linnet.cost.need import RESIDENT, TrainMemory

NEED = TrainMemory(
    find("mobilenetv3_small_100"), 224, 32, "fp32", (("stem.0", 3_000_000), ("stages.0", 5_500_000)),
    weights=1, average=2, gradients=3, optimizer=4, photos=5, peak=10_000_000,
)  # fmt: skip


def test_the_rows_add_up_and_the_process_needs_more_than_its_tensors() -> None:
    assert NEED.kept == 8_500_000
    assert NEED.resident == round(10_000_000 * RESIDENT) > NEED.peak


def test_it_prints_as_a_table_and_as_plain_values() -> None:
    text = str(NEED)
    assert "mobilenetv3_small_100 in training: 32 photos of 224 pixels, fp32" in text
    assert "At most 10 MB of tensors at once" in text
    assert NEED.to_json()["rows"] == [{"row": "stem.0", "kept": 3_000_000}, {"row": "stages.0", "kept": 5_500_000}]
    assert NEED.to_json()["resident_on_cpu"] == NEED.resident
