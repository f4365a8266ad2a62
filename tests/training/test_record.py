from __future__ import annotations

import math

import pytest
import torch

from linnet.data.loader import Bad, Batch
from linnet.training.distributed import Share
from linnet.training.log import read_log
from linnet.training.prepare import prepare
from linnet.training.record import Record


@pytest.fixture
def r(tiny_recipe, tiny_photos, tmp_path, quiet):
    r = prepare(tiny_recipe, tiny_photos, tmp_path, resume=False, progress=quiet)
    yield r
    r.log.close()


def batch(bad=()):
    return Batch(torch.zeros(2, 4, 4, 3, dtype=torch.uint8), torch.zeros(2), torch.tensor([3, 0]), bad)


def tell(r, record, given, loss=1.0):
    finite = math.isfinite(loss)
    r.position.count(loss, 1, 2, finite=finite)
    record.step(Share(given), loss=loss, norm=0.5, lr=0.1, finite=finite)


def test_long_epochs_have_fifty_lines(r):
    record = Record(r)
    record.every = 3
    for _ in range(6):
        tell(r, record, batch())
    assert [line["step"] for line in read_log(r.folder)] == [0, 3]
    record.steps = 500
    assert Record(r).every == 1


def test_the_work_done_is_summed_up_once_in_an_epoch(r, monkeypatch):
    asked, said = [], []
    work = type(r).work
    monkeypatch.setattr(type(r), "work", lambda self, *at: asked.append(at) or work(self, *at))
    monkeypatch.setattr(r.progress, "step", lambda done, *_: said.append(done))
    r.position.epoch = 1
    record = Record(r)
    for _ in range(6):
        tell(r, record, batch())
    assert asked == [(1,)]
    assert said == [work(r, 1, step) for step in range(1, 7)]


def test_what_was_skipped_and_what_went_bad_is_named(r):
    tell(r, Record(r), batch((Bad("a.jpg", "truncated"),)), loss=math.nan)
    bad, skipped = read_log(r.folder)
    assert bad["text"].startswith("a.jpg: left out")
    assert skipped["text"].startswith("epoch 0, step 0 skipped: loss nan")
    assert skipped["paths"] == [str(r.photos.train[i].path) for i in (3, 0)]


def test_the_first_batch_of_each_phase_is_kept_as_a_picture(r, monkeypatch):
    """Epochs 0 and 1 begin a phase, epoch 2 goes on with one."""
    kept = []
    monkeypatch.setattr(r.log, "pictures", lambda total, pixels: kept.append((total, pixels.shape)))
    images = torch.zeros(20, 3, 4, 4)
    for epoch, step, total in ((0, 0, 0), (0, 1, 1), (1, 0, 6), (1, 5, 11), (2, 0, 12)):
        r.position.epoch, r.position.step, r.position.total = epoch, step, total
        Record(r).first(images)
    assert kept == [(0, (16, 16, 3)), (6, (16, 16, 3))]  # nine of the 20, three by three


def test_no_picture_is_made_in_vain(r, monkeypatch):
    r.log._board.close()
    r.log._board = None
    monkeypatch.setattr("linnet.training.record.as_pictures", lambda *_: pytest.fail("made"))
    Record(r).first(torch.zeros(2, 3, 4, 4))
