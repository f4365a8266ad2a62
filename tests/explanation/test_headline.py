import json

from linnet.explanation.folder import read_run
from linnet.explanation.headline import headline, measured


def test_the_test_figures_come_first_then_the_best_validation(make_run):
    run = make_run(n=60)
    values = headline(read_run(run))
    assert values["title"].endswith("right on photos it had never seen")
    assert [tile[0] for tile in values["tiles"]] == ["test accuracy", "one photo takes", "size", "certificate"]
    (run / "predictions.json").unlink()
    values = headline(read_run(run))
    assert values["title"].endswith("right on the validation photos")
    assert values["tiles"][0][1] == "92.4\u00a0%"
    assert measured(read_run(run))[0]["top1"] == max(e["validation"]["top1"] for e in read_run(run).epochs)


def test_a_start_from_pretrained_weights_is_told(make_run):
    run = make_run(n=40)
    recipe = json.loads((run / "recipe.json").read_text()) | {"pretrained": "tf_efficientnet_lite0"}
    (run / "recipe.json").write_text(json.dumps(recipe))
    values = headline(read_run(run))
    assert values["pretrained"] == "tf_efficientnet_lite0"
    assert not values["from_scratch"]


def test_many_classes_are_not_all_listed(make_run):
    values = headline(read_run(make_run(n_classes=100, n=100)))
    assert (len(values["classes"]), values["more_classes"]) == (12, 88)
