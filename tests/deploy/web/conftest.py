"""The page's files where node can import them, and a stand-in for ONNX Runtime Web."""

import json
import shutil
import subprocess
from importlib.resources import files

import pytest

PAGE = files("linnet.deploy.web").joinpath("page")


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """node(script, given): what a module of ours says to a JSON value: `script` is the body of answer(given)."""
    program = shutil.which("node")
    if not program:
        pytest.skip("there is no node")
    folder = tmp_path_factory.mktemp("modules")
    (folder / "package.json").write_text('{"type": "module"}')
    for one in PAGE.iterdir():
        (folder / one.name).write_bytes(one.read_bytes())

    def run(imports, script, given=None):
        text = (
            f"{imports}\nimport {{ readFileSync, writeSync }} from 'node:fs';\n"
            f"async function answer(given) {{ {script} }}\n"
            "const said = JSON.stringify(await answer(JSON.parse(readFileSync(0, 'utf8'))));\n"
            "for (let i = 0; i < said.length; i += 4096) writeSync(1, said.slice(i, i + 4096));\n"
        )
        (folder / "main.js").write_text(text)
        done = subprocess.run(
            [program, folder / "main.js"], input=json.dumps(given), capture_output=True, text=True, timeout=100
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture
def fake_ort(monkeypatch):
    """ONNX Runtime Web's files without their content."""
    made = {"ort.wasm.min.mjs": b"//", "ort-wasm-simd-threaded.mjs": b"//", "ort-wasm-simd-threaded.wasm": b"\0asm"}
    monkeypatch.setattr("linnet.deploy.web.package.package_files", lambda: dict(made))
    return made


@pytest.fixture
def sent():
    """What a phone sends: recorded from the page, in Chromium."""
    times = {"median": 12.5, "p10": 12.0, "p90": 14.0, "p99": 20.5, "least": 11.75, "samples": 480, "drift": 0.02}
    times |= {"first": 30.5, "warmUpSeconds": 1.5, "callsPerSample": 1, "clockStep": 0.1}
    device = {
        "name": "Pixel 8",
        "model": "Pixel 8",
        "platform": "Android 15",
        "architecture": "",
        "userAgent": "Mozilla/5.0",
    }
    device |= {
        "browser": "Google Chrome 140.0",
        "gpu": "Mali-G715",
        "cores": 9,
        "memoryGiB": 8,
        "screen": "412 x 915 at 2.625",
        "threads": 1,
    }
    return {
        "kind": "linnet device", "schema": 1, "bundle": "shirts", "sha256": "ab" * 32, "runtime": "onnxruntime-web 1.30.0 wasm",
        "image": 224, "batch": 1, "device": device, "latency": times, "prepare": {**times, "median": 3.25}, "off": 1e-7,
        "time": "2026-11-25T02:00:00.000Z",
    }  # fmt: skip
