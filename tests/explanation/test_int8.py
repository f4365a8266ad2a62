from linnet.explanation.int8 import INT8, int8_facts

DROP = {"drop": 0.0027, "at_most": 0.0125, "n": 371, "lost": 2, "won": 1}
CERTIFICATE = {
    "calibration": {"split": "train", "n": 300},
    "quantiser": {"setting": "widest, biases corrected", "divergence": {"widest": 0.1}},
    "gate": {"max_drop": 0.005, "drop": DROP, "passed": True, "decided": False},
    "decided": False,
    "all_int8": {"max_drop": 0.005, "drop": {**DROP, "drop": 0.03}, "passed": False, "decided": False},
    "float_layers": [{"layer": "stem.0.0"}],
    "culprits": [
        {"layer": "stem.0.0", "signal_to_noise_db": 12.3, "divergence_all": 0.05, "divergence_without": 0.01},
        {"layer": "head.conv", "signal_to_noise_db": None, "divergence_all": 0.05, "divergence_without": 0.04},
    ],
}


def test_the_table_of_culprits():
    rows = dict(int8_facts(CERTIFICATE))
    assert rows["int8 chosen by"] == (
        "drop of 0.3 points on 371 validation photos, at most 1.2; allowed are 0.5; not decidable with 371 images"
    )
    assert rows["with all layers in int8"].startswith("drop of 3.0 points")
    assert "not decidable" not in rows["with all layers in int8"]
    assert rows["layers left in float"] == "1: stem.0.0"
    assert rows["calibrated on"] == "300 training photos"
    assert rows["layer stem.0.0"] == "signal to noise 12 dB, divergence 0.05, without it 0.01 (left in float)"
    assert rows["layer head.conv"] == "divergence 0.05, without it 0.04"


def test_what_is_not_int8_or_not_as_it_should_be_gives_no_row():
    assert int8_facts({"gate": None}) == int8_facts({}) == []
    broken = dict.fromkeys(INT8, 3) | {"gate": {"drop": "no"}}
    assert int8_facts(broken) == [("layers left in float", "none")]
    assert "layers left in float" in dict(int8_facts({**CERTIFICATE, "culprits": ["x"], "float_layers": []}))
