from linnet.training.score import described, score

ONE = {"top1": 0.913, "top5": 1.0, "loss": 0.2, "interval": [0.88, 0.94], "n": 300}
SEVERAL = {"mean_average_precision": 0.75, "exact_match": 0.4, "loss": 0.2, "n": 300}


def test_the_score_is_that_of_the_form():
    assert (score(ONE), score(SEVERAL)) == (0.913, 0.75)


def test_it_is_said_in_words():
    assert described(ONE, "") == "91.3 % (88.0 to 94.0)"
    assert described(ONE, " of 300 validation photos") == "91.3 % of 300 validation photos (88.0 to 94.0)"
    assert described(SEVERAL, " of 300 validation photos") == "mean average precision 75.0 % of 300 validation photos"
