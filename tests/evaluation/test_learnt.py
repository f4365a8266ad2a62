from linnet.evaluation.learnt import training_of


def test_how_a_model_was_trained_is_read_from_its_facts_and_else_from_its_run(tmp_path):
    (tmp_path / "recipe.json").write_text('{"validation": 0.3, "test": 0.3}')
    (tmp_path / "data.json").write_text('{"files": {"train": [["a.jpg", 0, "abc"]]}}')
    assert training_of(tmp_path, {}) == ({"validation": 0.3, "test": 0.3}, {"abc"})
    assert training_of(tmp_path, {"recipe": {"validation": 0.2}}) == ({"validation": 0.2}, {"abc"})
    assert training_of(tmp_path / "absent", {"recipe": {"test": 0.2}}) == ({"test": 0.2}, frozenset())
    assert training_of(tmp_path / "absent", {}) == ({}, frozenset())
    (tmp_path / "best.safetensors").touch()
    (tmp_path / "a.linnet").mkdir()
    for inside in ("best.safetensors", "a.linnet"):  # of the run whose folder they lie in
        assert training_of(tmp_path / inside, {}) == ({"validation": 0.3, "test": 0.3}, {"abc"})
