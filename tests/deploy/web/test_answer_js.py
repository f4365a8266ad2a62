"""page/answer.js against deploy/classifier.py."""

import numpy as np
import pytest

from linnet.deploy.classifier import Classifier
from linnet.deploy.outputs import logits_of, probabilities


@pytest.mark.parametrize("several", [False, True])
def test_the_page_says_what_the_classifier_says(several, node):
    classifier = Classifier.__new__(Classifier)
    classifier.classes, classifier.several = tuple(f"class {i}" for i in range(12)), several
    logits = np.random.default_rng(1).normal(0, 6, (30, 12)).astype(np.float32)
    logits[3] = 0  # all alike: in the order of the classes
    logits[4, :2] = (90, 700)  # exp(700) is no number of single precision, exp(-700) nearly none
    facts = {"classes": classifier.classes, "labels": "several" if several else "one", "model": {}}
    script = "return given[1].map((logits) => best(given[0], Float32Array.from(logits)))"
    found = node('import { best } from "./answer.js";', script, [facts, logits.tolist()])
    for bars, row in zip(found, logits, strict=True):
        wanted = classifier._best("", row, 12).classes
        assert [bar["name"] for bar in bars] == [name for name, _ in wanted]
        np.testing.assert_allclose(
            [bar["share"] for bar in bars], [share for _, share in wanted], rtol=1e-12, atol=1e-300
        )


@pytest.mark.parametrize("several", [False, True])
def test_probabilities_become_the_same_logits_as_in_python(several, node):
    shares = probabilities(np.random.default_rng(1).normal(0, 30, (20, 12)), several=several).astype(np.float32)
    facts = {"labels": "several" if several else "one", "model": {"output": "probabilities"}}
    script = "return given[1].map((row) => [...asLogits(given[0], Float32Array.from(row))])"
    found = node('import { asLogits } from "./answer.js";', script, [facts, shares.tolist()])
    np.testing.assert_allclose(found, logits_of(shares, "probabilities", several=several), rtol=1e-12)
    facts["model"]["output"] = "logits"
    assert node('import { asLogits } from "./answer.js";', script, [facts, shares.tolist()]) == shares.tolist()
