import numpy as np

from linnet.deploy.classifier import Classifier
from linnet.deploy.web.check import check_facts, check_picture, pixel_sum


def test_the_page_draws_the_same_picture_and_sums_it_the_same(node):
    said = node(
        'import { checkPicture, pixelSum } from "./check.js";',
        "const p = checkPicture(given[0], given[1]); return [[...p.data], pixelSum(p.data)];",
        [70, 50],
    )
    rgba = np.array(check_picture(70, 50).convert("RGBA"))
    assert said[0] == rgba.reshape(-1).tolist()
    assert said[1] == pixel_sum(rgba)


def test_the_sum_sees_a_pixel_and_its_place():
    pixels = np.array(check_picture(20, 10))
    other = pixels.copy()
    other[3, 4, 1] ^= 1
    assert len({pixel_sum(pixels), pixel_sum(other), pixel_sum(pixels[:, ::-1])}) == 3


def test_the_facts_are_what_the_bundle_says(sealed):
    classifier = Classifier(sealed, runtime="onnx")
    facts = check_facts(classifier)
    answers = classifier.answers(classifier.preprocess.pixels(check_picture())[None])[0]
    np.testing.assert_allclose(facts["answers"], answers, rtol=1e-5, atol=1e-6)
