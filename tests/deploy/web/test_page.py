"""The page in Chromium: its answers are those of `linnet predict`. Needs Chromium, and ONNX Runtime Web in the cache."""

import base64
import functools
import io
import json
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from chromium import Chromium
from PIL import Image

from linnet.deploy.classifier import Classifier
from linnet.deploy.export import export
from linnet.deploy.predict import predict
from linnet.deploy.web.folder import web
from linnet.deploy.web.package import ORT_WEB
from linnet.deploy.web.phone import phone
from linnet.files import cache_folder

READY = "/^(Ready|This|The model could)/.test(document.getElementById('state')?.textContent) && document.getElementById('state').textContent"
DONE = (
    "document.querySelectorAll('.picture').length == {} && !document.querySelector('#pictures').innerText.includes('…')"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not (cache_folder() / ORT_WEB.file).exists():
        pytest.skip(f"{ORT_WEB.file} is not in the cache ({cache_folder()})")
    made = Chromium(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


def served(folder):
    """A server as anyone has it, python -m http.server, without a line per request."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def page(sealed, browser, tmp_path_factory):
    return web(sealed, out=tmp_path_factory.mktemp("web") / "page").folder


@pytest.fixture
def opened(browser, page):
    """The page, open and ready."""
    server = served(page)
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(f"http://127.0.0.1:{server.server_port}/")
    assert browser.wait(READY).startswith("Ready")
    yield browser
    server.shutdown()
    server.server_close()


def answers(browser):
    """{file name: [(class, share)]} of the cards."""
    script = """[...document.querySelectorAll('.picture')].map((card) => [card.querySelector('.file span').textContent,
      [...card.querySelectorAll('.bars li')].map((one) => [...one.children].map((part) => part.textContent))])"""
    return {name: [(kind, float(share.split()[0]) / 100) for kind, share in bars] for name, bars in browser.say(script)}


def test_pictures_get_the_answers_of_predict(opened, sealed, photos, tmp_path):
    rng = np.random.default_rng(3)
    files = []
    for number, (mode, ending) in enumerate(
        (("RGB", "png"), ("RGBA", "png"), ("L", "png"), ("RGB", "bmp"), ("P", "gif"))
    ):
        pixels = Image.fromarray(rng.integers(0, 256, (90, 120, 4), np.uint8)).resize((300, 240))
        if mode == "RGBA":
            pixels.putalpha(Image.fromarray(rng.integers(0, 2, (240, 300), np.uint8) * 255))
        files.append(tmp_path / f"{number}.{ending}")
        (pixels if mode == "RGBA" else pixels.convert("RGB").convert(mode)).save(files[-1])
    opened.choose("#files", files)
    opened.wait(DONE.format(len(files)))
    found = answers(opened)
    for one in predict(sealed, files, top=4):
        name = one.path.rpartition("/")[2]
        assert [kind for kind, _ in found[name]] == [kind for kind, _ in one.classes], name
        np.testing.assert_allclose([s for _, s in found[name]], [s for _, s in one.classes], atol=6e-4, err_msg=name)
    assert list(found) == [file.name for file in files]  # in the order in which they were chosen


def test_a_photo_is_turned_upright_and_what_is_no_picture_is_said(opened, sealed, photos, tmp_path):
    upright = photos / "test" / "lines" / "1.jpg"  # its EXIF turns it by a quarter
    (tmp_path / "text.jpg").write_text("no picture")
    opened.choose("#files", [upright, tmp_path / "text.jpg"])
    opened.wait(DONE.format(2))
    (one,) = predict(sealed, [upright], top=4)
    found = answers(opened)
    # Two JPEG decoders may differ by a step or two of 255.
    np.testing.assert_allclose([s for _, s in found["1.jpg"]], [s for _, s in one.classes], atol=0.03)
    assert "cannot open it" in opened.text()
    assert found["text.jpg"] == []
    size = opened.say("(({width, height}) => [width, height])(document.querySelector('.picture canvas'))")
    with Image.open(upright) as picture:
        assert size == [picture.height, picture.width]


def test_it_asks_no_other_address_and_complains_of_nothing(opened, page):
    asked = {
        url.rpartition("/")[2] or "index.html" for url in opened.requests if not url.startswith(("blob:", "data:"))
    }
    start = opened.requests[0]
    assert all(url.startswith((start, f"blob:{start}", "data:")) for url in opened.requests)
    assert asked <= {path.name for path in page.iterdir()}
    assert {"model.onnx", "facts.json", "ort-wasm-simd-threaded.wasm"} <= asked
    assert opened.complaints == []
    outside = "fetch('http://127.0.0.2:9/').then(() => 'sent', (error) => error.name)"
    assert opened.say(outside) == "TypeError"
    assert any("Content Security Policy" in text for text in opened.complaints)


def test_drop_paste_and_camera(opened):
    made = io.BytesIO()
    Image.effect_noise((80, 60), 90).convert("RGB").save(made, "PNG")
    data = base64.b64encode(made.getvalue()).decode()
    for number, kind in enumerate(("drop", "paste")):
        opened.say(f"""(() => {{
          const bytes = Uint8Array.from(atob("{data}"), (c) => c.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], "{kind}.png", {{ type: "image/png" }}));
          window.dispatchEvent("{kind}" === "drop" ? new DragEvent("drop", {{ dataTransfer: transfer, cancelable: true }})
            : new ClipboardEvent("paste", {{ clipboardData: transfer }}));
        }})()""")
        opened.wait(DONE.format(number + 1))
    assert {"drop.png", "paste.png"} <= set(answers(opened))
    opened.click("#camera")
    opened.wait("document.querySelectorAll('#live-classes li').length == 4")
    opened.click("#keep")
    opened.wait(DONE.format(3))
    opened.click("#stop")
    opened.wait("document.getElementById('live').hidden && !document.getElementById('camera').disabled")
    assert "camera" in answers(opened)


def test_a_page_whose_model_answers_otherwise_shows_no_answers(browser, page, tmp_path):
    for path in page.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    facts = json.loads((tmp_path / "facts.json").read_text())
    for change, why in (
        ({"answers": facts["check"]["answers"][::-1]}, "outputs are off"),
        ({"pixels": 1}, "scales pictures otherwise"),
    ):
        (tmp_path / "facts.json").write_text(json.dumps({**facts, "check": {**facts["check"], **change}}))
        server = served(tmp_path)
        browser.open(f"http://127.0.0.1:{server.server_port}/")
        assert why in browser.wait(READY)
        assert browser.say("document.getElementById('in').hidden && document.getElementById('bench').hidden")
        server.shutdown()
        server.server_close()


def test_a_bundle_that_takes_pixels(browser, run, tmp_path):
    made = export(run, to=("onnx",), uint8=True, out=tmp_path / "pixels.linnet", workers=0)
    server = served(web(made.folder).folder)
    browser.open(f"http://127.0.0.1:{server.server_port}/")
    assert browser.wait(READY).startswith("Ready")  # it has compared its logits
    server.shutdown()
    server.server_close()


def test_a_phone_is_measured_and_its_times_come_in(browser, bundle, monkeypatch):
    """The whole way of `linnet phone`, with this computer as the phone."""
    there = threading.Event()
    urls = []
    monkeypatch.setattr("linnet.deploy.web.phone.invite", lambda server: (urls.append(server.url), there.set()))
    tables = []
    thread = threading.Thread(target=lambda: tables.append(phone(bundle, host="127.0.0.1", devices=1)))
    thread.start()
    assert there.wait(60)
    browser.size(390, 844, phone=True)
    browser.open(urls[0])
    assert browser.wait(READY).startswith("Ready")
    assert "waits for this device" in browser.text()
    browser.click("#measure")
    browser.wait("/Thank you|Copy them/.test(document.getElementById('bench-state').textContent)", 60)
    thread.join(30)
    assert "Thank you" in browser.text()
    (device,) = tables[0].devices
    assert 0 < device.latency["p10"] <= device.latency["median"] <= device.latency["p99"] < 10_000
    assert device.facts["threads"] >= 1
    assert device.image == Classifier(bundle).preprocess.image
    assert (
        json.loads(browser.say("document.getElementById('json').textContent"))["latency"]["median"]
        == device.latency["median"]
    )
