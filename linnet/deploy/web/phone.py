"""Phones measured without cables: the page on the local network, a QR code, and a table of devices; the verb `phone`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .devices import DeviceTable  # not for type checkers alone: the command line reads the signature

if TYPE_CHECKING:
    from .server import PageServer


def phone(bundle: Path, *, devices: int = 0, host: str = "", port: int = 0, out: Path | None = None) -> DeviceTable:
    """Measure a bundle on phones: serve its page on the local network, show a QR code, collect the times. End it with Ctrl-C.

    Args:
        bundle: The bundle's folder, NAME.linnet, or a run that has one.
        devices: End by itself after so many devices; 0 waits for Ctrl-C.
        host: The address to serve on; by default this computer's in the local network.
        port: The port; 0 takes a free one.
        out: The JSON file for the times; by default NAME-devices.json beside the bundle. Nothing is overwritten.
    """
    import hashlib
    import os
    import secrets
    import sys
    from dataclasses import replace
    from queue import Empty
    from threading import Thread

    from ...errors import SettingError
    from ...files import free_file, write_json
    from ..bundle import SUFFIX, read_bundle
    from ..predict import bundle_in
    from .folder import MODEL, page_files
    from .server import PageServer, local_address

    if devices < 0 or not 0 <= port < 65_536:
        raise SettingError(f"devices is {devices} and port {port}; allowed are devices 0 or more, port 0 to 65535.")
    checked = read_bundle(bundle_in(Path(bundle)))
    if out and os.path.lexists(out):
        raise SettingError(f"{out}: there is something there already. Give another name, or move it away.")
    name = checked.folder.name.removesuffix(SUFFIX)
    place = Path(out) if out else free_file(checked.folder.with_name(f"{name}-devices.json"))
    files = page_files(checked)
    sha256 = hashlib.sha256(files[MODEL]).hexdigest()
    table = DeviceTable(checked.name, sha256, file=str(place))
    host = host or local_address()
    try:
        server = PageServer((host, port), files, secrets.token_urlsafe(9), sha256)
    except (OSError, OverflowError) as error:
        raise SettingError(
            f"{host}, port {port}: cannot be served on ({error}). Give another --host or --port."
        ) from None
    with server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            invite(server)
            while not devices or len(table.devices) < devices:
                try:
                    device = server.results.get(timeout=0.2)
                except Empty:
                    continue
                table = replace(table, devices=(*table.devices, device))
                write_json(place, table.to_json())
                print(f"{device.name}: {device.latency['median']:.2f} ms", file=sys.stderr, flush=True)
        except KeyboardInterrupt:  # the way to end it
            print(file=sys.stderr)
        finally:
            server.shutdown()
    return table


def invite(server: PageServer) -> None:
    """Show a person where to go."""
    import sys
    from ipaddress import ip_address

    print(qr_code(server.url), file=sys.stderr)
    host, port = server.server_address[:2]
    print(f"Open this on the phone, and tap Measure:  {server.url}", file=sys.stderr)
    if ip_address(str(host)).is_loopback:
        print("Only this computer can reach it: it has no address in a network, or --host says so.", file=sys.stderr)
    else:
        print(
            f"It must be in the same network; a firewall here must let port {port} in. Who has the address can use the page.",
            file=sys.stderr,
        )
    print("Ctrl-C ends it and prints the table.", file=sys.stderr, flush=True)


def qr_code(text: str) -> str:
    """A QR code for a terminal, or how to get one."""
    import io
    import sys

    try:
        import segno  # pyright: ignore[reportMissingImports]  # an extra
    except ImportError:
        return 'For a QR code here: pip install "linnet-vision[phone]"'
    made = io.StringIO()
    segno.make(text, micro=False).terminal(made, compact=True)
    try:
        made.getvalue().encode(sys.stderr.encoding or "utf-8")
    except UnicodeEncodeError:
        return "(This terminal cannot show a QR code.)"
    if not sys.stderr.isatty():
        return made.getvalue()
    # White on black whatever the terminal's own colours are: not every camera reads the other way round.
    return "\n".join(f"\x1b[97;40m{line}\x1b[0m" for line in made.getvalue().splitlines())
