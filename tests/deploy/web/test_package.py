import io
import re
import tarfile
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from linnet.deploy.web.package import ORT_WEB, Package, integrity, package_files
from linnet.errors import FileError, SettingError
from linnet.files import cache_folder


def tarball(files):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()


DATA = tarball({"package/dist/a.wasm": b"\0asm", "package/dist/b.mjs": b"export {}", "package/secret": b"not taken"})
PACKAGE = Package("thing", "1.2.3", integrity(DATA), len(DATA), ("dist/a.wasm", "dist/b.mjs"))


class Registry:
    """npm's registry with one package, on this machine."""

    def __init__(self):
        self.data, self.asked = DATA, []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                registry.asked.append(self.path)
                found = self.path == "/thing/-/thing-1.2.3.tgz"
                self.send_response(200 if found else 404)
                self.send_header("Content-Length", str(len(registry.data) if found else 0))
                self.end_headers()
                self.wfile.write(registry.data if found else b"")

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/"


@pytest.fixture
def registry(monkeypatch, tmp_path):
    made = Registry()
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", made.url)
    monkeypatch.setenv("LINNET_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_it_is_fetched_once_and_kept(registry, capsys):
    for _ in range(2):
        assert package_files(PACKAGE) == {"a.wasm": b"\0asm", "b.mjs": b"export {}"}
    assert registry.asked == ["/thing/-/thing-1.2.3.tgz"]
    assert "thing-1.2.3.tgz" in capsys.readouterr().err
    assert (cache_folder() / "thing-1.2.3.tgz").read_bytes() == DATA


@pytest.mark.parametrize(
    "data", [DATA[:-1] + b"x", DATA + b"x", DATA[:100], b""], ids=["changed", "longer", "cut", "empty"]
)
def test_another_file_is_not_kept(registry, data):
    registry.data = data
    with pytest.raises(FileError, match=r"is not thing 1\.2\.3 .* put it here: "):
        package_files(PACKAGE)
    assert not (cache_folder() / PACKAGE.file).exists()


def test_a_damaged_file_in_the_cache_is_not_used(registry):
    cache_folder().mkdir(parents=True)
    (cache_folder() / PACKAGE.file).write_bytes(DATA[:-1])
    with pytest.raises(FileError, match="Remove it and try again"):
        package_files(PACKAGE)


def test_without_a_network_it_says_what_to_bring_and_where_to(registry):
    registry.server.shutdown()
    registry.server.server_close()
    with pytest.raises(FileError, match=rf"npm pack thing@1\.2\.3.*{re.escape(str(cache_folder() / PACKAGE.file))}$"):
        package_files(PACKAGE)
    cache_folder().mkdir(parents=True)
    (cache_folder() / PACKAGE.file).write_bytes(DATA)  # brought, as it said
    assert package_files(PACKAGE)["a.wasm"] == b"\0asm"


def test_a_version_that_is_not_there(registry):
    with pytest.raises(FileError, match=r"cannot be fetched \(HTTP 404\)"):
        package_files(replace(PACKAGE, version="9"))


def test_a_registry_is_an_address(registry, monkeypatch):
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "file:///etc")
    with pytest.raises(SettingError, match="https://"):
        package_files(PACKAGE)


def test_ours_is_pinned():
    assert re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", ORT_WEB.integrity)
    assert re.fullmatch(r"\d+\.\d+\.\d+", ORT_WEB.version)
