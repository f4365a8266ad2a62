"""A small server for one page: it gives out the files it was given, from memory, and takes devices' times.

Every address contains a secret word: who does not have it sees nothing and can send nothing. No path ever reaches the disk.
"""

from __future__ import annotations

import hmac
import json
import socket
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from queue import Queue
from socketserver import TCPServer

from .devices import Device, read_device

LARGEST = 16_384  # bytes of one result; ours have about 1,200
MOST = 1_000  # results
KINDS = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "json": "application/json",
    "wasm": "application/wasm",
    "txt": "text/plain; charset=utf-8",
}
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# With these a page may compute in several threads. Browsers heed them on this very computer only, and complain elsewhere.
ISOLATED = {"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp"}


def local_address() -> str:
    """This computer's address in the local network, or 127.0.0.1 where there is none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documents: only the way to the outside is looked up
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


class PageServer(ThreadingHTTPServer):
    """Serves `files` below /`word`/ and puts each device that sends its times into `results`."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], files: Mapping[str, bytes], word: str, sha256: str) -> None:
        self.files, self.word, self.sha256 = files, word, sha256
        self.results: Queue[Device] = Queue(MOST)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Without HTTPServer's own, which asks the network for this computer's name: that may take many seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """A device that leaves in the middle of a download is no news."""

    @property
    def url(self) -> str:
        host, port = str(self.server_address[0]), self.server_address[1]
        if ip_address(host).is_unspecified:  # all of this computer's addresses
            host = local_address()
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{port}/{self.word}/?collect"


class Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "linnet", ""
    timeout = 30  # seconds for a device that says nothing; otherwise it would hold its thread for ever

    def do_GET(self) -> None:
        name = self._name()
        data = self.server.files.get(name or "index.html") if name is not None else None
        if data is None:
            self._answer(404, b"There is nothing here.")
        else:
            self._answer(200, data, KINDS.get((name or "index.html").rpartition(".")[2], "application/octet-stream"))

    do_HEAD = do_GET

    def do_POST(self) -> None:
        self.close_connection = True  # what was refused has not been read
        length = self.headers.get("Content-Length", "")
        if self._name() != "results":
            self._answer(404, b"There is nothing here.")
        elif self.headers.get_content_type() != "application/json":
            self._answer(415, b"JSON is expected.")
        elif not (length.isascii() and length.isdecimal()):
            self._answer(411, b"Its length is expected.")
        elif len(length) > 9 or int(length) > LARGEST:
            self._answer(413, b"That is too much.")
        else:
            self._take(self.rfile.read(int(length)))

    def _take(self, data: bytes) -> None:
        try:
            device = read_device(json.loads(data), self.server.sha256)
        except (ValueError, RecursionError) as error:  # also what is no JSON or no UTF-8
            self._answer(422, f"Not taken: {error}.".encode("utf-8", "replace"))
            return
        if self.server.results.full():
            self._answer(503, b"Not taken: there are too many already.")
            return
        self.server.results.put(device)
        self._answer(200, b"Taken.")

    def _name(self) -> str | None:
        """The name behind the secret word, "" for none; None where the word is another."""
        start, _, name = self.path.partition("?")[0].removeprefix("/").partition("/")
        fine = hmac.compare_digest(start.encode(), self.server.word.encode())
        return name if fine and self.path.startswith(f"/{start}/") else None

    def _answer(self, code: int, data: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        self.send_response(code)
        isolated = ISOLATED if ip_address(str(self.server.server_address[0])).is_loopback else {}
        for name, value in {**HEADERS, **isolated, "Content-Type": kind, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the terminal shows the QR code and the devices."""
