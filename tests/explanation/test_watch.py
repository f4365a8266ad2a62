from __future__ import annotations

import json
import threading
import time

import pytest

from linnet.errors import SettingError
from linnet.explanation import folder
from linnet.explanation import watch as module
from linnet.explanation.watch import sparkline, standing_of, watch


@pytest.fixture
def half_way(make_run):
    """A run of eight epochs in four phases, cut in its sixth epoch; the last line is half-written."""
    run = make_run()
    lines = (run / "log.jsonl").read_bytes().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if b'"epoch": 5, "step": 27' in line)
    (run / "log.jsonl").write_bytes(b"".join(lines[: at + 1]) + lines[at + 1][:20])
    return run


def test_a_run_that_is_on_its_way(half_way):
    found = standing_of(half_way)
    assert (found.epoch, found.epochs, found.phase, found.phases) == (6, 8, 3, 4)
    assert found.image == 136
    assert found.images_per_second == 300.0
    assert not found.ended
    assert [epoch for epoch, _ in found.validation] == [1, 2, 3, 4, 5]
    assert found.best_epoch == 5
    # 2445 photos: two epochs each at 96, 120, 136 and 160 px, of the sixth 28 steps of 32.
    pixels = [side**2 for side in (96, 96, 120, 120, 136, 136, 160, 160)]
    share = 28 * 32 / 2445
    done = sum(pixels[:5]) + share * pixels[5]
    assert found.done == pytest.approx(done / sum(pixels))
    assert found.seconds_left == pytest.approx(2445 * (sum(pixels) - done) / (300 * 136**2), abs=0.1)


def test_the_text_says_it_and_the_line_fits_a_pipe(half_way):
    text = str(standing_of(half_way))
    for words in ("epoch       6 of 8, phase 3 of 4, 136 px", "300 images/s", "left", "▁", "after epoch 5"):
        assert words in text
    line = standing_of(half_way).line()
    assert line.startswith("epoch 6/8  136 px  loss ")
    assert "\n" not in line
    json.dumps(standing_of(half_way).to_json())


def test_a_run_that_has_ended_is_told_once(make_run, capsys):
    found = watch(make_run())
    assert found.ended
    assert found.done == 1.0
    assert found.seconds_left is None
    assert "ended       epoch 8 is the best" in str(found)
    assert capsys.readouterr() == ("", "")


def test_before_the_first_step_little_is_known(make_run):
    run = make_run()
    (run / "log.jsonl").unlink()
    found = standing_of(run)
    assert (found.epoch, found.epochs, found.image, found.loss, found.done) == (1, 8, 96, None, 0.0)
    assert "epoch       1 of 8" in str(found)
    (run / "recipe.json").unlink()
    assert standing_of(run).epochs == 0
    assert "epoch" in str(standing_of(run))


def test_it_follows_until_the_run_ends(half_way, monkeypatch, capsys):
    monkeypatch.setattr(module, "EVERY", 0.01)
    epoch = '{"kind": "epoch", "epoch": %d, "phase": 3, "image": 160, "validation": {"top1": 0.9}}\n'
    log = half_way / "log.jsonl"

    def train():
        for number in (5, 6):
            with log.open("a") as file:
                file.write("\n" + epoch % number)
            time.sleep(0.1)
        with log.open("a") as file:
            file.write('{"kind": "end", "raw": null, "dead": []}\n')

    thread = threading.Thread(target=train)
    thread.start()
    found = watch(half_way)
    thread.join()
    assert found.ended
    said = capsys.readouterr().err
    assert "epoch 7/8" in said
    assert "epoch 8/8" in said


def test_ctrl_c_leaves_the_run_alone(half_way, monkeypatch):
    def pressed(seconds):
        raise KeyboardInterrupt

    before = {path: path.read_bytes() for path in half_way.rglob("*") if path.is_file()}
    monkeypatch.setattr(module.time, "sleep", pressed)
    assert not watch(half_way).ended
    assert {path: path.read_bytes() for path in half_way.rglob("*") if path.is_file()} == before


def test_a_log_that_says_nothing_for_long_is_said_to(half_way, monkeypatch):
    now = time.time()
    monkeypatch.setattr(module.time, "time", lambda: now + 3600)
    assert "no new line for 1 h 0 min" in str(standing_of(half_way))


def test_where_there_is_no_run(tmp_path):
    with pytest.raises(SettingError, match="no such folder"):
        watch(tmp_path / "nothing")
    with pytest.raises(SettingError, match="nothing of a run"):
        watch(tmp_path, once=True)


def test_strange_lines_do_no_harm(make_run):
    run = make_run()
    strange = ['[1]', '"a"', '{"kind": "step"}', '{"kind": "step", "epoch": "x"}', '{"kind": "epoch", "epoch": 0, "validation": 3}',
               '{"kind": "note", "text": "\\u001b[31mred"}', '{"kind": "step", "epoch": 2, "step": 1, "loss": null, "image": null}']  # fmt: skip
    (run / "log.jsonl").write_text("\n".join(strange) + "\n")
    text = str(standing_of(run))
    assert "\x1b" not in text
    assert "epoch       3 of 8" in text


def test_a_log_is_read_on_and_nothing_twice(half_way, monkeypatch):
    first = module.read_on(half_way, module.NOTHING)
    asked = []
    real = folder.parsed_lines
    monkeypatch.setattr(folder, "parsed_lines", lambda raw: asked.append(len(raw)) or real(raw))
    monkeypatch.setattr(folder, "read_object", lambda *_: pytest.fail("recipe.json or data.json once more"))
    log = half_way / "log.jsonl"
    whole = log.read_bytes()
    line = b'{"kind": "step", "epoch": 5, "step": 28, "loss": 0.125, "image": 136}\n'
    log.write_bytes(whole[: whole.rfind(b"\n") + 1] + line + b'{"kind": "st')
    second = module.read_on(half_way, first)
    assert asked == [len(line)]
    assert second.lines == (*first.lines, json.loads(line))
    assert standing_of(half_way, second).loss == 0.125
    assert module.read_on(half_way, second) == second


def test_a_log_that_a_resumed_run_has_cut_is_read_anew(half_way):
    told, log = module.read_on(half_way, module.NOTHING), half_way / "log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    for kept in (len(lines) // 2, 0):
        log.write_bytes(b"".join(lines[:kept]))
        assert module.read_on(half_way, told) == module.read_on(half_way, module.NOTHING)
    again = [line.replace(b'"seconds": ', b'"seconds": 1') for line in lines]  # as long as before and longer
    log.write_bytes(b"".join(again) * 2)
    assert module.read_on(half_way, told) == module.read_on(half_way, module.NOTHING)


def test_photos_are_counted_not_labels(half_way):
    data = json.loads((half_way / "data.json").read_text())
    plain = standing_of(half_way).done
    data["files"] = {"train": [[f"{n}.jpg", [0, 1], f"{n:064x}"] for n in range(2445)]}
    data["counts"]["train"] = dict.fromkeys(data["counts"]["train"], 2445)  # each has all labels
    (half_way / "data.json").write_text(json.dumps(data))
    assert standing_of(half_way).done == plain


def test_epochs_of_several_sizes_are_as_long_as_they_are(half_way):
    from linnet.data.cuts import pixels

    recipe = json.loads((half_way / "recipe.json").read_text())
    recipe["phases"] = [
        {"epochs": 5, "image": 160, "batch": 32, "sizes": [80, 160]}, {"epochs": 3, "image": 160, "batch": 32},
    ]  # fmt: skip
    (half_way / "recipe.json").write_text(json.dumps(recipe))
    before = sum(pixels(2445, batch=32, image=160, sizes=(80, 160), epoch=epoch) for epoch in range(5))
    rest = 3 * 2445 * 160**2
    assert standing_of(half_way).done == pytest.approx((before + 28 * 32 * 160**2) / (before + rest), rel=0.05)


def test_bars():
    assert sparkline([0.5]) == "█"
    assert sparkline([0, 0.5, 1]) == "▁▅█"
    assert len(sparkline(list(range(100)))) == module.SHOWN
