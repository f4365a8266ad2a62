import http.client
import json
import re
import socket
import threading

import pytest

from linnet.deploy.web.server import LARGEST, PageServer, local_address

FILES = {"index.html": b"<!doctype html>", "app.js": b"1", "a.wasm": b"\0asm"}


@pytest.fixture
def server():
    with PageServer(("127.0.0.1", 0), FILES, "word", "ab" * 32) as made:
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def ask(server, method, path, body=None, **headers):
    link = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    try:
        link.request(method, path, body, headers)
        answer = link.getresponse()
        return answer.status, answer.read(), answer.headers
    finally:
        link.close()


def post(server, value, path="/word/results", **headers):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return ask(server, "POST", path, data, **{"Content-Type": "application/json", **headers})


def test_it_gives_out_its_files(server):
    assert server.url == f"http://127.0.0.1:{server.server_port}/word/?collect"
    status, body, headers = ask(server, "GET", "/word/?collect")
    assert (status, body, headers["Content-Type"]) == (200, FILES["index.html"], "text/html; charset=utf-8")
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert ask(server, "GET", "/word/a.wasm")[2]["Content-Type"] == "application/wasm"
    assert ask(server, "HEAD", "/word/app.js")[:2] == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/", "/word", "/app.js", "/other/app.js", "/Word/app.js", "/wor/app.js", "/word//app.js", "/word/results",
        "/word/../app.js", "/word/../../etc/passwd", "/word/%2e%2e/%2e%2e/etc/passwd", "/word/..\\..\\x", "/word//etc/passwd",
        "/word/app.js/", "/word/APP.JS", "http://word/app.js", "/w%6frd/app.js", "/word/\xff", "/?word",
    ],
)  # fmt: skip
def test_nothing_else_is_to_be_had(server, path):
    with socket.create_connection(
        ("127.0.0.1", server.server_port), 20
    ) as link:  # as written: http.client would refuse some
        link.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode("latin-1"))
        answer = b"".join(iter(lambda: link.recv(4096), b""))
    assert b" 404 " in answer.split(b"\r\n")[0]
    assert answer.endswith(b"There is nothing here.")


def test_a_device_is_taken(server, sent):
    assert post(server, sent)[:2] == (200, b"Taken.")
    assert server.results.get(timeout=5).name == "Pixel 8"


def test_what_is_not_taken_is_said(server, sent):
    assert post(server, sent, path="/wrong/results")[0] == 404
    assert post(server, sent, path="/word/app.js")[0] == 404
    assert post(server, sent, **{"Content-Type": "text/plain"})[0] == 415
    assert post(server, b" " * (LARGEST + 1))[0] == 413
    assert post(server, b"{}", **{"Content-Length": "9" * 5000})[0] == 413
    assert post(server, b"{}", **{"Content-Length": "-1"})[0] == 411
    assert post(server, b"{}", **{"Content-Length": "\xb2"})[0] == 411
    for data in (b"", b"{", b"\xff", b"[" * 10_000, b"NaN", b"null"):
        assert post(server, data)[0] == 422, data[:10]
    status, text, _ = post(server, {**sent, "sha256": "0" * 64})
    assert (status, b"load the page again" in text) == (422, True)
    assert server.results.empty()
    assert ask(server, "DELETE", "/word/app.js")[0] == 501


def test_there_is_an_end_to_what_it_takes(server, sent):
    server.results.maxsize = 2
    assert [post(server, sent)[0] for _ in range(3)] == [200, 200, 503]


def test_who_says_nothing_holds_nobody_up(server):
    with socket.create_connection(("127.0.0.1", server.server_port)):
        assert ask(server, "GET", "/word/app.js")[0] == 200


def test_an_address_that_others_can_reach_or_this_computer_alone():
    assert re.fullmatch(r"\d+(\.\d+){3}", local_address())
    with PageServer(("0.0.0.0", 0), FILES, "word", "ab" * 32) as made:
        assert made.url == f"http://{local_address()}:{made.server_port}/word/?collect"


def test_the_network_is_not_asked_for_a_name(monkeypatch):
    """Where its name server does not answer, that takes many seconds."""

    def asked(*names):
        raise AssertionError

    monkeypatch.setattr(socket, "getfqdn", asked)
    with PageServer(("127.0.0.1", 0), FILES, "word", "ab" * 32) as made:
        assert (made.server_name, made.server_port) == made.server_address
