from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def nasty():
    """The module nasty.py in data/: makers of odd pictures and the corpus."""
    spec = importlib.util.spec_from_file_location("nasty", Path(__file__).parent / "data" / "nasty.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["nasty"] = module
    spec.loader.exec_module(module)
    return module
