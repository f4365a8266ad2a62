from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # no network in tests; child processes inherit it


@pytest.fixture(scope="session")
def nasty():
    """The module nasty.py in data/: makers of odd pictures and the corpus."""
    spec = importlib.util.spec_from_file_location("nasty", Path(__file__).parent / "data" / "nasty.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["nasty"] = module
    spec.loader.exec_module(module)
    return module
