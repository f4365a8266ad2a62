from __future__ import annotations

import copy
import json

import torch

from linnet.cores import available_cores
from linnet.training.environment import describe, differences


def test_it_says_what_the_last_bits_may_depend_on():
    now = describe(torch.device("cpu"))
    assert json.loads(json.dumps(now)) == now
    assert now["packages"]["torch"] == torch.__version__.split("+")[0] or now["packages"]["torch"] == torch.__version__
    assert now["cores"] == available_cores() >= 1
    assert differences(now, now) == []


def test_differences_are_named():
    now = describe(torch.device("cpu"))
    before = copy.deepcopy(now)
    before["packages"]["torch"] = "2.11.0"
    before["processor"] = "abacus"
    assert set(differences(before, now)) == {
        f"torch 2.11.0, now {now['packages']['torch']}",
        f"processor abacus, now {now['processor']}",
    }
