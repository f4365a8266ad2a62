from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any

import pytest

from linnet.arch.names import find
from linnet.arch.operator import Operator
from linnet.arch.read import read
from linnet.arch.spec import Arch, Stage
from linnet.errors import SettingError

PLAIN = json.loads(json.dumps(find("efficientnet_b0").to_json()))


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ((), 3, "it is 3"),
        (("name",), 5, "name is 5; allowed: a text"),
        (("image",), -5, "image is -5; allowed: a whole number from 1"),
        (("image",), 10**9, "at most|to 1,000,000"),
        (("image",), True, "image is True"),
        (("stem",), 3, "stem is 3; allowed: a list"),
        (("stem", 0, "op"), "Conv", "names its operator"),
        (("stem", 0, "op"), None, "names its operator"),
        (("stem", 0, "op"), {"op": ["Conv"]}, "names its operator"),
        (("stem", 0, "op", "act"), "sillu", "Did you mean 'silu'"),
        (("stages", 1, "op", "k"), 0, r"stages\.1\.op\.k is 0"),
        (("stages", 1, "op", "t"), 0, "above 0"),
        (("stages", 1, "op", "t"), float("nan"), "t is nan"),
        (("stages", 1, "op", "t"), float("inf"), "t is inf"),
        (("stages", 1, "op", "t"), 10**400, "allowed: a number above 0"),
        (("stages", 1, "op", "kk"), 3, r"stages\.1\.op\.kk is not known\. Did you mean 'k'"),
        (("stages", 1, "stride"), 0, r"stages\.1\.stride is 0"),
        (("stages", 1, "layers"), 10**8, "from 1 to 10,000"),
        (("stages", 1, "channels"), "16", r"stages\.1\.channels is '16'; allowed: a whole number"),
        (("stages", 1, "channels"), 16.0, "whole number"),
        (("stages", 1, "op"), [], "empty cycle"),
        (("stages", 1), "Conv", "an object with settings"),
        (("stages", 1), {"channels": 3}, r"stages\.1\.op is missing"),
        (("head", 3, "classes"), -1, r"head\.3\.classes"),
        (("style", "act"), "swish", "style.act is 'swish'; allowed: 'identity' or"),
        (("style", "eps"), 0, "above 0"),
        (("style", "colour"), 1, "style.colour is not known"),
        (("scaling", "head"), "scale", "Did you mean 'scaled'"),
        (("scaling", "stem"), 1, "true or false"),
        (("taps",), [3], "taps.0 is 3"),
        (("init",), "fan_in", "Did you mean 'fan_out'"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named_with_its_place(path: tuple[Any, ...], value: object, says: str) -> None:
    whole = {"": copy.deepcopy(PLAIN)}
    parent: Any = whole
    for part in ("", *path)[:-1]:
        parent = parent[part]
    parent[("", *path)[-1]] = value
    with pytest.raises(SettingError, match=says) as refused:
        Arch.from_json(whole[""])
    assert "\n" not in str(refused.value)


def test_an_operator_of_a_users_own_is_read_by_its_types_and_its_own_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Operator, "known", dict(Operator.known))

    @dataclass(frozen=True)
    class Wavy(Operator):
        shift: float = -2.0  # a number that Linnet's tables do not have may be negative
        kernels: tuple[int, ...] | None = None
        free: Any = None

        def __post_init__(self) -> None:
            if self.kernels == ():
                raise ValueError("no kernels")

    own = Wavy(-3.5, (3, 5), (1, (2, "x")))
    text = json.dumps(Stage(own, 8).to_json())
    assert read(Stage, json.loads(text)) == Stage(own, 8)
    with pytest.raises(SettingError, match=r"op: no kernels\."):
        read(Stage, {"op": {"op": "Wavy", "kernels": []}})
    with pytest.raises(SettingError, match=r"kernels\.1 is 2\.5"):
        read(Stage, {"op": {"op": "Wavy", "kernels": [1, 2.5]}})
