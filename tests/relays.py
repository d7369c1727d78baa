"""A relay before a warehouse: it hands every request on, and may speak TLS."""

from __future__ import annotations

import contextlib
import http.server
import ssl
import threading
import urllib.request
from collections.abc import Iterator

import trustme


@contextlib.contextmanager
def relay(
    url: str, asked: list[tuple[str, bytes]], certificate: trustme.LeafCert | None = None, host: str = "127.0.0.1"
) -> Iterator[str]:
    """Address of a relay to `url`, over TLS with a certificate; path and body of every request are noted in `asked`."""

    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    class Relay(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append((self.path, body))
            headers = {name: value for name, value in self.headers.items() if name not in ("Host", "Content-Length")}
            request = urllib.request.Request(url + self.path, body, headers)
            with direct.open(request, timeout=30) as answer:
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name not in ("Content-Length", "Transfer-Encoding"):
                        self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer((host, 0), Relay) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            # Who connects and says nothing holds up a thread of its own, not the one that accepts.
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        try:
            yield f"{'https' if certificate else 'http'}://{host}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
