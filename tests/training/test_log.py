from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from linnet.training.log import Log, read_log
from linnet.weights.tensors import DiskFull


def step(log, number, **more):
    log.step(number, epoch=0, step=number, loss=1.5, lr=0.1, image=32, images_per_second=9.0, gradient_norm=2.0, **more)


def test_lines_are_there_at_once(tmp_path):
    log = Log(tmp_path, 0, 0)
    step(log, 1)
    log.note("größer", paths=["a"])
    log.epoch(2, epoch=0, train_loss=1.0, train_top1=None, image=32, validation={"top1": 0.5, "interval": [0.4, 0.6]})
    assert [line["kind"] for line in read_log(tmp_path)] == ["step", "note", "epoch"]
    assert read_log(tmp_path)[1] == {"kind": "note", "text": "größer", "paths": ["a"]}
    log.close()


def test_what_came_after_the_checkpoint_is_cut_off(tmp_path):
    log = Log(tmp_path, 0, 0)
    step(log, 1)
    at = log.sync()
    step(log, 2)
    log.close()
    assert at < (tmp_path / "log.jsonl").stat().st_size
    log = Log(tmp_path, at, 1)
    step(log, 3)
    log.close()
    assert [line["step"] for line in read_log(tmp_path)] == [1, 3]


def test_half_a_line_at_the_end_is_passed_over(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"kind": "note"}\n{"kind": "st')
    assert read_log(tmp_path) == [{"kind": "note"}]


def test_numbers_that_json_does_not_know_are_refused(tmp_path):
    log = Log(tmp_path, 0, 0)
    with pytest.raises(ValueError, match="not JSON compliant"):
        log.note("a", value=float("nan"))
    log.close()


def test_tensorboard_gets_the_scalars(tmp_path):
    log = Log(tmp_path, 0, 0)
    step(log, 5)
    log.epoch(6, epoch=0, train_loss=1.0, train_top1=None, image=32, validation={"top1": 0.5, "interval": [0.4, 0.6]})
    log.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [(5, 1.5)]
    assert [(e.step, e.value) for e in events.Scalars("validation/top1")] == [(6, 0.5)]
    assert "epoch/train_top1" not in events.Tags()["scalars"]


def test_tensorboards_numbers_wait_together_and_none_is_lost(tmp_path, monkeypatch):
    from linnet.training import log as module

    log, given = Log(tmp_path, 0, 0), []
    monkeypatch.setattr(log._board._get_file_writer(), "add_summary", lambda summary, total, when: given.append(total))
    step(log, 1)
    step(log, 2)
    assert given == []
    log.sync()
    assert given == [1, 2]
    monkeypatch.setattr(module, "PATIENCE", -1.0)
    step(log, 3)
    assert given == [1, 2, 3]
    monkeypatch.undo()
    step(log, 4)
    log.close()


def test_tensorboard_gets_pictures_and_the_end(tmp_path):
    log = Log(tmp_path, 0, 0)
    assert log.draws
    log.pictures(3, np.full((4, 6, 3), 200, np.uint8))
    log.end(9, raw={"top1": 0.25, "n": 4}, dead=[])
    log.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    (image,) = events.Images("train/batch")
    assert (image.step, image.width, image.height) == (3, 6, 4)
    assert [(e.step, e.value) for e in events.Scalars("validation_raw/top1")] == [(9, 0.25)]
    assert read_log(tmp_path) == [{"kind": "end", "raw": {"top1": 0.25, "n": 4}, "dead": []}]


def test_without_tensorboard_the_log_is_enough(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    log = Log(tmp_path, 0, 0)
    step(log, 1)
    assert not log.draws
    log.pictures(1, np.zeros((4, 4, 3), np.uint8))
    log.close()
    assert json.loads((tmp_path / "log.jsonl").read_text())["loss"] == 1.5
    assert not (tmp_path / "tensorboard").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_says_how_to_go_on(tmp_path, monkeypatch):
    log = Log(tmp_path, 0, 0)
    with open("/dev/full", "wb", buffering=0) as full:
        own, log._file = log._file, full
        with pytest.raises(DiskFull, match=r"Free some space, then: linnet train --resume"):
            log.note("x" * 10_000)
        log._file = own
    log.close()
