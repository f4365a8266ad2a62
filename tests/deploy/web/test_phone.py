import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
from urllib.parse import urlsplit

import pytest

from linnet.deploy.bench.bench import bench
from linnet.deploy.bundle import read_bundle
from linnet.deploy.web.phone import phone, qr_code
from linnet.errors import SettingError


def post(url, value):
    parts = urlsplit(url)
    link = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        link.request("POST", f"{parts.path}results", json.dumps(value), {"Content-Type": "application/json"})
        return link.getresponse().status
    finally:
        link.close()


@pytest.fixture
def url(monkeypatch):
    """Where the page is, as soon as it is served."""
    said, there = [], threading.Event()
    monkeypatch.setattr("linnet.deploy.web.phone.invite", lambda server: (said.append(server.url), there.set()))

    def wait():
        assert there.wait(60)
        return said[-1]

    return wait


def test_it_waits_for_the_devices_and_writes_them(bundle, fake_ort, sent, url, capsys):
    sent["sha256"] = read_bundle(bundle).facts["files"]["model.onnx"]["sha256"]
    answers = []

    def phones():
        where = url()
        answers.extend([post(where, {**sent, "sha256": "0" * 64}), post(where, sent), post(where, sent)])

    thread = threading.Thread(target=phones)
    thread.start()
    table = phone(bundle, host="127.0.0.1", devices=2)
    thread.join()
    assert answers == [422, 200, 200]
    assert [one.name for one in table.devices] == ["Pixel 8", "Pixel 8"]
    file = bundle.with_name(f"{bundle.name.removesuffix('.linnet')}-devices.json")
    assert table.file == str(file)
    assert json.loads(file.read_text())["devices"][1]["latency"]["median"] == 12.5
    assert capsys.readouterr().err.count("Pixel 8: 12.50 ms") == 2
    words = urlsplit(url()).path.split("/")
    assert len(words[1]) >= 12  # 9 bytes that nobody guesses


def test_nothing_is_overwritten(bundle, fake_ort, tmp_path):
    (tmp_path / "mine.json").write_text("mine")
    with pytest.raises(SettingError, match=r"mine\.json: there is something there already"):
        phone(bundle, out=tmp_path / "mine.json")


def test_settings_that_cannot_be(bundle, fake_ort):
    with pytest.raises(SettingError, match="devices is -1"):
        phone(bundle, devices=-1)
    with pytest.raises(SettingError, match="port 65536"):
        phone(bundle, port=65_536)
    with pytest.raises(SettingError, match=r"no\.such\.host\.invalid, port 0: cannot be served on"):
        phone(bundle, host="no.such.host.invalid")


def test_the_code_is_for_the_address():
    segno = pytest.importorskip("segno")
    lines = qr_code("http://192.168.0.10:8000/abcdefghijkl/?collect").splitlines()
    assert len(lines) > 10
    assert segno.make("x").designator


def test_without_the_package_it_says_how_to_get_a_code(monkeypatch):
    monkeypatch.setitem(sys.modules, "segno", None)
    assert 'pip install "linnet-vision[phone]"' in qr_code("x")


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c_ends_it_well(sealed):
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"  # a background job ignores it
        "import linnet.deploy.web.package as p, linnet.deploy.web.phone as f;"
        "p.package_files = lambda: {};"
        f"print(f.phone({str(sealed)!r}, host='127.0.0.1'))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    shown = ""
    while "Ctrl-C ends it" not in shown:
        line = process.stderr.readline()
        assert line, shown
        shown += line
    assert re.search(r"http://127\.0\.0\.1:\d+/[\w-]{12}/\?collect", shown)
    assert "Only this computer can reach it" in shown
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out.strip()) == (0, "No device has sent its times.")
    assert "Traceback" not in err


def test_bench_has_it_too(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("linnet.deploy.web.phone.phone", lambda bundle, *, out: asked.append((bundle, out)))
    bench((str(tmp_path),), phone=True, out=tmp_path / "d.json")
    assert asked == [(tmp_path, tmp_path / "d.json")]
    with pytest.raises(SettingError, match="linnet bench BUNDLE --phone"):
        bench(("a", "b"), phone=True)
