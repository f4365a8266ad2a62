"""Linnet: efficient image classification, from a folder of photos to a proven model.

Every name below is imported when it is first used: `import linnet` loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# The verbs of the command line, in the order in which a person meets them: `linnet VERB` calls `linnet.VERB`.
VERBS = {
    "fit": "linnet.pipeline",
    "archs": "linnet.weights.archs",
    "table": "linnet.cost.table",
    "cost_of": "linnet.cost.arithmetic",
    "latency": "linnet.deploy.latency.latency",
    "doctor": "linnet.explanation.doctor",
    "pack": "linnet.data.pack",
    "preview": "linnet.rehearsal",
    "train": "linnet.training.train",
    "list_recipes": "linnet.recipes.book",
    "watch": "linnet.explanation.watch",
    "evaluate": "linnet.evaluation.evaluate",
    "compare": "linnet.explanation.compare",
    "export": "linnet.deploy.export",
    "bench": "linnet.deploy.bench.bench",
    "web": "linnet.deploy.web.folder",
    "phone": "linnet.deploy.web.phone",
    "predict": "linnet.deploy.predict",
    "report": "linnet.explanation.report",
    "convert": "linnet.weights.convert",
}
# On the command line a verb has the name that a folder of ours has too: `linnet cost` is `linnet.cost_of`.
SHORT = {"cost_of": "cost", "list_recipes": "recipes"}
VALUES = {
    "Arch": "linnet.arch.spec",
    "Layer": "linnet.arch.spec",
    "Stage": "linnet.arch.spec",
    "Style": "linnet.arch.spec",
    "find": "linnet.arch.names",
    "build": "linnet.nn.build",
    "create_model": "linnet.weights.create",
    "list_models": "linnet.weights.create",
    "from_blocks": "linnet.arch.blocks",
    "count": "linnet.cost.count",
    "Preprocess": "linnet.data.preprocess",
    "Recipe": "linnet.training.recipe",
    "Phase": "linnet.training.recipe",
    "progressive": "linnet.training.progressive",
    "read_model": "linnet.weights.model",
    "LinnetError": "linnet.errors",
}
_HOME = VERBS | VALUES
__all__ = ["__version__", *_HOME]  # pyright: ignore[reportUnsupportedDunderAll]

if TYPE_CHECKING:
    from .arch.blocks import from_blocks as from_blocks
    from .arch.names import find as find
    from .arch.spec import Arch as Arch
    from .arch.spec import Layer as Layer
    from .arch.spec import Stage as Stage
    from .arch.spec import Style as Style
    from .cost.arithmetic import cost_of as cost_of
    from .cost.count import count as count
    from .cost.table import table as table
    from .data.pack import pack as pack
    from .data.preprocess import Preprocess as Preprocess
    from .deploy.bench.bench import bench as bench
    from .deploy.export import export as export
    from .deploy.latency.latency import latency as latency
    from .deploy.predict import predict as predict
    from .deploy.web.folder import web as web
    from .deploy.web.phone import phone as phone
    from .errors import LinnetError as LinnetError
    from .evaluation.evaluate import evaluate as evaluate
    from .explanation.compare import compare as compare
    from .explanation.doctor import doctor as doctor
    from .explanation.report import report as report
    from .explanation.watch import watch as watch
    from .nn.build import build as build
    from .pipeline import fit as fit
    from .recipes.book import list_recipes as list_recipes
    from .rehearsal import preview as preview
    from .training.progressive import progressive as progressive
    from .training.recipe import Phase as Phase
    from .training.recipe import Recipe as Recipe
    from .training.train import train as train
    from .weights.archs import archs as archs
    from .weights.convert import convert as convert
    from .weights.create import create_model as create_model
    from .weights.create import list_models as list_models
    from .weights.model import read_model as read_model


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'linnet' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
