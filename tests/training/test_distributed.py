from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from powercut import At, PowerCut, power_cut

from linnet.data.loader import Bad, Batch
from linnet.errors import DataError, SettingError, TrainingError
from linnet.training.distributed import ALONE, Place, agreed, check_readable, check_shares, joined, meet, store_of_job
from linnet.training.ingredients import Sgd
from linnet.training.log import read_log
from linnet.training.loop import run
from linnet.training.progress import Progress
from linnet.training.recipe import Phase
from linnet.weights.tensors import read_tensors


def tensors(folder):
    return read_tensors(folder / "last.ckpt", kind="checkpoint", remedy="")[0]


def losses(folder):
    return [line["loss"] for line in read_log(folder) if line["kind"] == "step"]


def follows(folder, other):
    """All weights, averages, running statistics and momenta within 1e-5, and the losses too."""
    torch.testing.assert_close(tensors(folder), tensors(other), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(losses(folder), losses(other), rtol=1e-5, atol=1e-5)
    return True


# -- one process ------------------------------------------------------------------------------------------------------
def test_one_process_alone_has_nobody_to_ask():
    assert ALONE.once(lambda: 3) == 3
    assert ALONE.any(True, False) == (True, False)
    assert ALONE.gather("a") == ["a"]
    tensor = torch.ones(2)
    ALONE.add_up([tensor])
    assert tensor.tolist() == [1, 1]
    batch = Batch(torch.zeros(2, 4, 4, 3, dtype=torch.uint8), torch.zeros(2), torch.arange(2), (Bad("a", "b"),))
    share = meet(ALONE, batch, mixing=True)
    assert share == (batch, 0, None)
    assert share.n == 2
    with ALONE.in_turn(), pytest.raises(KeyError):
        ALONE.once(lambda: {}["a"])
    with joined() as place:
        assert place == ALONE


def test_an_error_of_all_is_raised_by_the_first_alone():
    with pytest.raises(TrainingError), ALONE.said_once():
        raise TrainingError("so")
    with pytest.raises(SystemExit) as left, Place(rank=1, world=2).said_once():
        raise TrainingError("so")
    assert left.value.code == 1


def test_half_an_environment_is_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(SettingError, match=r"RANK is not set.*torchrun or --processes"), joined():
        pass


def test_each_process_needs_photos_of_its_own(tiny_recipe):
    check_shares(tiny_recipe, 48, 4)
    with pytest.raises(SettingError, match=r"5 processes.*phases\.0 has only 4 times 2 photos.*Take 4"):
        check_shares(tiny_recipe, 48, 5)
    grouped = dataclasses.replace(tiny_recipe, bn_group=8)
    check_shares(grouped, 48, 1)
    with pytest.raises(SettingError, match="1 times 8 photos"):
        check_shares(grouped, 48, 2)
    sizes = dataclasses.replace(tiny_recipe, phases=(Phase(batch=8, image=32, sizes=(32, 64), epochs=2),))
    with pytest.raises(SettingError, match="1 times 2 photos"):
        check_shares(sizes, 48, 2)
    larger = dataclasses.replace(tiny_recipe, phases=(Phase(batch=8, image=32, sizes=(16,), epochs=2),))
    with pytest.raises(SettingError, match="only 4 times 2 photos"):  # as an epoch's last batch may have
        check_shares(larger, 48, 5)


def test_what_is_left_of_a_batch_has_to_be_two_photos_and_one_in_each_process():
    bad = (Bad("a.jpg", "no such file"),)
    check_readable([1, 1], bad)
    check_readable([2], bad)
    with pytest.raises(DataError, match=r"0 photos can be read, by process 0, 0; a\.jpg: no such file.*--resume"):
        check_readable([0, 0], bad)
    with pytest.raises(DataError, match=r"3 photos can be read, by process 3, 0"):
        check_readable([3, 0], bad)
    with pytest.raises(DataError, match=r"1 photos can be read\. Is the disk"):
        check_readable([1], ())


def test_torchrun_finds_its_run_again(tmp_path, monkeypatch):
    """However it counts its starts, and only in the same job: the store of another knows nothing, whatever its id."""
    folder, where = tmp_path / "run-2", tmp_path / "run"

    def started_by(torchrun):
        monkeypatch.setenv("MASTER_PORT", str(torchrun.port))
        return Place(store=store_of_job())

    assert store_of_job() is None
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    one, other = (torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False) for _ in "ab")
    assert started_by(one).begun(where) is None
    started_by(one).begin(where, folder)
    assert started_by(one).begun(where) is None  # lost before it had begun
    folder.mkdir()
    (folder / "last.ckpt").touch()
    assert started_by(one).begun(where) == folder
    assert started_by(one).begun(tmp_path / "another") is None
    assert started_by(other).begun(where) is None
    ALONE.begin(where, folder)
    assert ALONE.begun(where) is None


def test_those_started_together_agree_on_a_name_of_their_own():
    """Whoever comes first, and with what those before them have left."""
    server = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    server.set("hello 1", "one that is gone")
    names = []
    for order in ((0, 1, 2), (2, 1, 0)):
        with ThreadPoolExecutor(3) as pool:
            waiting = []
            for rank in order:
                store = torch.distributed.TCPStore("127.0.0.1", server.port, is_master=False)
                waiting.append(pool.submit(agreed, store, rank, 3))
                time.sleep(0.05)
            (name,) = {one.result(timeout=20) for one in waiting}
        names.append(name)
    assert names[0] != names[1]


# -- two processes ----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def recipe(tiny_recipe):
    """AdamW is no yardstick here: where a gradient is zero but for rounding (a shift that the next BatchNorm takes away) it
    makes a whole step of the rounding's sign."""
    return dataclasses.replace(tiny_recipe, optimizer=Sgd(lr=0.05), bn_group=4)


def shortened(recipe, **row):
    return dataclasses.replace(recipe, phases=(Phase(epochs=1, image=24, **row),), bn_group=None)


@pytest.fixture(scope="module")
def runs(recipe, tiny_photos, together, tmp_path_factory):
    """Folders of runs by one process and by two, and what the two said of each."""
    here = tmp_path_factory.mktemp("runs")
    quiet = {"progress": Progress(quiet=True)}
    run(recipe, tiny_photos, here / "one", **quiet)
    often = dataclasses.replace(recipe, save_minutes=1e-9)
    with pytest.raises(PowerCut):
        run(often, tiny_photos, here / "resumed in two", progress=At(8, power_cut))
    jobs = {
        "two": {"recipe": recipe.to_json()},
        "resumed in two": {"recipe": None},
        "stopped": {"recipe": recipe.to_json(), "rank": 1, "at": 8, "what": "SIGTERM", "slow": 0.5},
        "poisoned": {"recipe": recipe.to_json(), "rank": 1, "at": 8, "what": "nan"},
        "gone": {"recipe": dataclasses.replace(recipe, bn_group=None).to_json(), "gone": 5},
        "few": {"recipe": shortened(recipe, batch=4).to_json(), "gone": 5},
        "late": {"recipe": shortened(recipe, batch=8).to_json(), "late": 1},
        "refused": {"recipe": dataclasses.replace(recipe, bn_group=8).to_json()},
    }
    said = together(
        [{"folder": str(here / name), "photos": str(tiny_photos.root), **job} for name, job in jobs.items()]
    )
    return here, dict(zip(jobs, zip(*said, strict=True), strict=True))


def test_two_processes_follow_one(runs):
    here, said = runs
    assert said["two"] == ("done", "done")
    assert follows(here / "two", here / "one")
    best = [
        [line["validation"]["n"] for line in read_log(here / name) if line["kind"] == "epoch"]
        for name in ("one", "two")
    ]
    assert best[0] == best[1] == [12] * 3


def test_what_one_process_began_two_finish(runs):
    here, said = runs
    assert said["resumed in two"] == ("done", "done")
    assert follows(here / "resumed in two", here / "one")
    notes = [line["text"] for line in read_log(here / "resumed in two") if line["kind"] == "note"]
    assert any("processes 1, now 2" in note for note in notes)


def test_a_signal_to_one_process_saves_and_all_leave(runs, tiny_photos, quiet):
    here, said = runs
    assert said["stopped"][0].startswith("75: Stopped in epoch 2 of 3, after 8 steps")
    assert said["stopped"][1] == "75, 8 steps saved"  # it left no sooner
    run(None, tiny_photos, here / "stopped", resume=True, progress=quiet)
    assert follows(here / "stopped", here / "one")


def test_a_step_that_is_not_finite_in_one_process_is_skipped_by_all(runs):
    here, said = runs
    assert said["poisoned"] == ("done", "done")
    assert all(tensor.isfinite().all() for tensor in tensors(here / "poisoned").values())
    (note,) = [line for line in read_log(here / "poisoned") if "skipped" in line.get("text", "")]
    assert note["text"].startswith("epoch 1, step 1 skipped: loss nan")
    assert len(set(note["paths"])) == 8  # of both processes, the neighbour in front not twice


def test_photos_of_another_process_that_went_bad_are_named_too(runs):
    here, said = runs
    assert said["gone"] == ("done", "done")
    notes = [line["text"] for line in read_log(here / "gone") if "gone.png: left out" in line.get("text", "")]
    assert len(notes) == 3  # once in every epoch, whosever share it fell into


def test_a_photo_that_went_bad_in_a_small_share_ends_nothing(runs):
    here, said = runs
    assert said["few"] == ("done", "done")
    assert sum("gone.png: left out" in line.get("text", "") for line in read_log(here / "few")) == 1


def test_the_clock_of_the_one_that_writes_says_when_a_checkpoint_is_due(runs):
    _, said = runs
    assert said["late"][0] == "done, 2 saves"  # at the start and at the end of the epoch


def test_without_groups_the_log_says_what_is_lost(runs):
    here, _ = runs
    said = {
        name: any("2 processes takes BatchNorm's statistics" in line.get("text", "") for line in read_log(here / name))
        for name in ("two", "gone")
    }
    assert said == {"two": False, "gone": True}


def test_what_the_first_refuses_the_others_leave_silently(runs):
    _, said = runs
    assert said["refused"][0].startswith("1: 2 processes share each batch")
    assert said["refused"][1] == "1"
