import re
from dataclasses import replace

import pytest

from linnet.deploy.bench.adb import adb_commands, read_output
from linnet.deploy.bundle import Runtime, read_bundle
from linnet.errors import FileError, SettingError

# As phones and boards have printed them: benchmark_model through logcat (2026), on a terminal (2021), of an older kind (2020).
LOGCAT = """\
07-14 13:14:52.097 22838 22838 I tflite  : Min num runs: [25]
07-14 13:14:52.097 22838 22838 I tflite  : Num threads: [4]
07-14 13:14:52.097 22838 22838 I tflite  : Graph: [/data/local/tmp/best_int8.tflite]
07-14 13:14:52.097 22838 22838 I tflite  : #threads used for CPU inference: [4]
07-14 13:14:52.113 22838 22838 I tflite  : Created TensorFlow Lite XNNPACK delegate for CPU.
07-14 13:14:52.190 22838 22838 I tflite  : The input model file size (MB): 3.06409
07-14 13:14:52.190 22838 22838 I tflite  : Initialized session in 92.318ms.
07-14 13:14:52.859 22838 22838 I tflite  : count=3 first=235158 curr=200386 min=199462 max=235158 avg=211669 std=16613 p5=199462 median=200386 p95=235158
07-14 13:14:56.520 22838 22838 I tflite  : count=25 first=187533 curr=140990 min=140071 max=195121 avg=145528 std=13583 p5=140545 median=141253 p95=187533
07-14 13:14:56.521 22838 22838 I tflite  : Inference timings in us: Init: 92318, First inference: 235158, Warmup (avg): 211669, Inference (avg): 145528
07-14 13:14:56.521 22838 22838 I tflite  : Memory footprint delta from the start of the tool (MB): init=54.2852 overall=73.4102
"""
TERMINAL = """\
STARTING!
Log parameter values verbosely: [0]
Num threads: [4]
Graph: [yolo_best_recall_int8_static.tflite]
Enable op profiling: [1]
#threads used for CPU inference: [4]
Loaded model yolo_best_recall_int8_static.tflite
INFO: Created TensorFlow Lite XNNPACK delegate for CPU.
The input model file size (MB): 3.67827
Initialized session in 18.777ms.
Running benchmark for at least 1 iterations and at least 0.5 seconds but terminate if exceeding 150 seconds.
count=9 first=64791 curr=56295 min=54873 max=65831 avg=57758.2 std=4065

Running benchmark for at least 50 iterations and at least 1 seconds but terminate if exceeding 150 seconds.
count=50 first=58154 curr=53809 min=53077 max=60727 avg=55043.2 std=1562

Inference timings in us: Init: 18777, First inference: 64791, Warmup (avg): 57758.2, Inference (avg): 55043.2
Note: as the benchmark tool itself affects memory footprint, the following is only APPROXIMATE to the actual memory footprint of the model at runtime. Take the information at your discretion.
Memory footprint delta from the start of the tool (MB): init=8.97656 overall=18.7227
"""
SHORT = """\
INFO: Initialized TensorFlow Lite runtime.
The input model file size (MB): 4.27635
Inference timings in us: Init: 25558, First inference: 9992420, Warmup (avg): 9.99242e+06, Inference (avg): 8459.69
"""
# executor_runner with a line for each run (2026), and with the sum alone (2025).
RUNNER = """\
I 00:00:00.035506 executorch:executor_runner.cpp:157] Resetting threadpool with num threads = 1
I 00:00:05.833558 executorch:executor_runner.cpp:564] Model loaded in 4463.268273 ms.
I 00:00:06.075611 executorch:executor_runner.cpp:705] Iteration 1 of 1: 241.944288 ms
I 00:00:06.075701 executorch:executor_runner.cpp:714] Model executed successfully 1 time(s) in 241.944288 ms.
"""
RUNNER_2025 = """\
I 00:00:00.003987 executorch:executor_runner.cpp:166] Model file add.pte is loaded.
I 00:00:00.004058 executorch:executor_runner.cpp:175] Using method forward
I 00:00:00.004429 executorch:executor_runner.cpp:226] Setting up planned buffer 0, size 48.
I 00:00:00.005262 executorch:executor_runner.cpp:251] Method loaded.
I 00:00:00.006576 executorch:executor_runner.cpp:284] Model executed successfully 1 time(s) in 0.691078 ms.
I 00:00:00.006604 executorch:executor_runner.cpp:293] 1 outputs:
Output 0: tensor(sizes=[1], [2.])
"""


def read(tmp_path, text):
    path = tmp_path / "phone.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_output(path)


def test_benchmark_model_through_logcat(tmp_path):
    found = read(tmp_path, LOGCAT)
    (row,) = found.rows
    assert (row.model, row.way, row.threads, row.calls) == ("best_int8", "litert", 4, 25)
    assert row.median_ms == 141.253, "of the runs, not of the warm-up"
    assert row.size_bytes == 3064090
    assert row.peak_bytes == round(73.4102 * 2**20)
    assert found.notes == ("Memory is what benchmark_model grew by.",)
    assert found.to_json()["mode"] == "imported"


def test_benchmark_model_on_a_terminal_has_the_mean_alone(tmp_path):
    found = read(tmp_path, TERMINAL)
    (row,) = found.rows
    assert (row.model, row.median_ms, row.calls, row.peak_bytes) == (
        "yolo_best_recall_int8_static", 55.0432, 50, round(18.7227 * 2**20),
    )  # fmt: skip
    assert "the mean stands in its place" in found.notes[0]


def test_the_least_that_it_prints(tmp_path):
    (row,) = read(tmp_path, SHORT).rows
    assert (row.median_ms, row.model) == (8.4597, "model")
    assert row.images_per_second == 118.21


def test_executor_runner(tmp_path):
    (row,) = read(tmp_path, RUNNER).rows
    assert (row.way, row.median_ms, row.threads) == ("executorch", 241.9443, 1), "a single run has no warm-up"
    found = read(tmp_path, RUNNER_2025)
    assert (found.rows[0].model, found.rows[0].median_ms) == ("add", 0.6911)
    assert "gives no single times" in found.notes[0]


def test_executor_runners_first_tenth_is_warm_up(tmp_path):
    times = [900.0, 500.0, *[30.0 + i for i in range(18)]]
    lines = [f"I ExecuTorch: Iteration {i} of 20: {t:.6f} ms" for i, t in enumerate(times, 1)]
    text = "\n".join([*lines, f"Model executed successfully 20 time(s) in {sum(times):.6f} ms."])
    (row,) = read(tmp_path, f"{text}\n{text}").rows[:1]
    assert (row.median_ms, row.calls) == (38.5, 18)
    assert row.p99_ms < 48


def test_a_file_as_the_commands_make_it(tmp_path):
    text = (
        "linnet: phone Google Pixel 8, Android 15, Tensor G3\n"
        "linnet: model photos way litert-int8 threads 2\n" + LOGCAT.replace("[4]", "[2]")
        + "linnet: model photos way executorch threads 4\n" + RUNNER
        + "linnet: model photos way executorch threads 4\n" + RUNNER.replace("241.9", "240.9")
    )  # fmt: skip
    found = read(tmp_path, text)
    assert found.where == "Google Pixel 8, Android 15, Tensor G3"
    assert [(row.name, row.threads) for row in found.rows] == [
        ("photos litert-int8", 2), ("photos executorch (2)", 1), ("photos executorch", 1),
    ]  # fmt: skip
    assert "photos litert-int8" in str(found)


@pytest.mark.parametrize("text", ["", "hello", b"\xff\xfe\x00" * 100, "Inference timings in us: Inference (avg): nan"])
def test_a_file_without_results(tmp_path, text):
    with pytest.raises(SettingError, match=r"holds no result.*linnet bench BUNDLE --adb"):
        read(tmp_path, text)


def test_a_benchmark_that_failed_is_said_to_have(tmp_path):
    with pytest.raises(SettingError, match="It says that the benchmark failed"):
        read(tmp_path, "ERROR: Following operations are not supported by GPU delegate:\nBenchmarking failed.\n")


def test_no_file(tmp_path):
    with pytest.raises(FileError, match="cannot be read"):
        read_output(tmp_path / "none.txt")
    with pytest.raises(FileError, match="cannot be read"):
        read_output(tmp_path)


def test_the_commands(sealed):
    bundle = read_bundle(sealed)
    with pytest.raises(SettingError, match="--to litert executorch"):
        adb_commands(bundle)
    both = (Runtime("litert", "fp32", "model.tflite"), Runtime("executorch", "fp32", "model.pte"))
    said = adb_commands(replace(bundle, runtimes=(*bundle.runtimes, *both)), threads=2)
    text = str(said)
    assert f"adb push {sealed}/model.tflite /data/local/tmp/linnet/mobilenetv3_small_035-litert.tflite" in text
    assert "--graph=/data/local/tmp/linnet/mobilenetv3_small_035-litert.tflite --num_threads=2" in text
    assert "--model_path=/data/local/tmp/linnet/mobilenetv3_small_035-executorch.pte --cpu_threads=2" in text
    assert re.findall(r"linnet bench --import (\S+)", text) == ["phone-litert.txt", "phone-executorch.txt"]
    assert "{" not in text
    assert said.to_json() == list(said.lines)


def test_what_a_bundle_says_of_itself_is_quoted(tmp_path, bundle):
    place = tmp_path / "a b; c.linnet"
    found = replace(
        read_bundle(bundle), folder=place, name="x;y", runtimes=(Runtime("litert", "fp32", "model.tflite"),)
    )
    text = str(adb_commands(found))
    assert f"adb push '{place}/model.tflite' /data/local/tmp/linnet/'x;y-litert.tflite'" in text
    assert "echo linnet: model 'x;y' way litert" in text
