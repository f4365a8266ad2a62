from __future__ import annotations

from linnet.arch.names import find


def test_outputs_are_those_of_figure_5() -> None:
    """Its text gives 19 x 19 x 728 for the middle flow and 2048 values at the end."""
    shapes = list(dict.fromkeys(layer.output_shape for _, layer in find("xception").layers()))
    assert shapes == [
        (32, 149, 149), (64, 147, 147), (128, 74, 74), (256, 37, 37), (728, 19, 19), (1024, 10, 10), (1536, 10, 10),
        (2048, 10, 10), (2048,), (1000,)]  # fmt: skip


def test_there_are_36_convolutions_in_14_modules_of_which_12_are_residual() -> None:
    """Chollet 2017, section 3."""
    arch = find("xception")
    inside = {"EntryFlow": 2, "MiddleFlow": 3, "ExitFlow": 2, "SeparableConv": 1}
    stages = [(type(s.op).__name__, s.layers) for s in arch.stages]
    assert sum(inside[name] * n for name, n in stages) + sum(s.layers for s in arch.stem) == 36
    assert sum(n for _, n in stages) == 14
    assert sum(s.op.units * s.layers for s in arch.stages) == 12  # type: ignore[union-attr]


def test_the_first_module_has_no_activation_before_it() -> None:
    assert [str(s.op) for s in find("xception").stages[:3]] == ["EntryFlow(relu=False)", "EntryFlow", "EntryFlow"]


def test_widths_follow_the_table() -> None:
    assert [s.channels for s in find("xception").scaled(width=0.5).stages] == [64, 128, 368, 368, 512, 768, 1024]


def test_other_spellings_are_accepted() -> None:
    assert find("Xception").name == find("xception.tf_in1k").name == "legacy_xception"
