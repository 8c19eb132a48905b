"""A page on this machine alone: the loopback interface, and an address that nobody guesses."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

__all__ = ["PageServer"]

_HOST = "127.0.0.1"
_SECONDS = 10  # until a client that says nothing is dropped
_AT_ONCE = 128  # requests that are answered; others wait
_WAITING = 1024
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class PageServer(ThreadingHTTPServer):
    """Serves a page, and images by their row, to whoever knows the token, from this machine.

    Parameters
    ----------
    page
        The page.
    image
        The image (height, width, channels) uint8 of a row; None if there are none.
    n_images
        Number of rows.
    port
        Port; 0 for any that is free.

    Raises
    ------
    OSError
        If the port is taken.
    """

    daemon_threads = True
    request_queue_size = _WAITING
    allow_reuse_address = True

    def __init__(
        self,
        page: str,
        image: Callable[[int], np.ndarray] | None = None,
        n_images: int = 0,
        *,
        port: int = 0,
    ) -> None:
        self.page = page.encode()
        self.image = image
        self.n_images = n_images
        self.token = secrets.token_urlsafe(24)
        self.drawing = threading.Lock()
        self._free = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__((_HOST, port), _Handler)

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{_HOST}:{self.server_address[1]}/{self.token}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, when one is free."""
        self._free.acquire()
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that went away harms nobody."""


class _Handler(BaseHTTPRequestHandler):
    """One request, which is answered and forgotten: nothing that a client sends is read or kept."""

    server: PageServer
    timeout = _SECONDS
    server_version = "unweave"
    sys_version = ""

    def do_GET(self) -> None:
        """The page, whether the server is alive, or an image."""
        refusal = self._refusal()
        if refusal is not None:
            self._answer(*refusal)
            return
        parts = urlsplit(self.path)
        name = parts.path.removeprefix(f"/{self.server.token}/")
        if name == "":
            self._answer(HTTPStatus.OK, self.server.page, "text/html; charset=utf-8")
        elif name == "alive":
            self._answer(HTTPStatus.OK, b"yes")
        elif name == "image":
            self._image(parse_qs(parts.query).get("row", [""])[0])
        else:
            self._answer(HTTPStatus.NOT_FOUND, b"there is nothing of this name")

    do_HEAD = do_GET

    def _refusal(self) -> tuple[HTTPStatus, bytes] | None:
        """Why the request is not answered: it is not of this machine's page."""
        port = self.server.server_address[1]
        own = {f"{_HOST}:{port}", f"localhost:{port}"}
        if self.headers.get("Host") not in own:
            return HTTPStatus.FORBIDDEN, b"this page is for this machine alone"
        origin = self.headers.get("Origin")
        site = self.headers.get("Sec-Fetch-Site", "none")
        if (origin and origin not in {f"http://{host}" for host in own}) or site not in (
            "none", "same-origin",
        ):  # fmt: skip
            return HTTPStatus.FORBIDDEN, b"other pages may not ask"
        token = self.path[1:].partition("/")[0].encode("utf-8", "replace")
        if not hmac.compare_digest(token, self.server.token.encode()):
            return HTTPStatus.NOT_FOUND, b"open the address that the program printed"
        return None

    def _image(self, word: str) -> None:
        server = self.server
        if server.image is None or not (word.isascii() and word.isdigit() and len(word) < 20):
            self._answer(HTTPStatus.BAD_REQUEST, b"row must be a whole number")
            return
        row = int(word)
        if row >= server.n_images:
            self._answer(HTTPStatus.NOT_FOUND, f"there are {server.n_images:,} images".encode())
            return
        with server.drawing:  # datasets need not bear two threads
            image = np.ascontiguousarray(server.image(row), dtype=np.uint8)
        self._answer(HTTPStatus.OK, image.tobytes(), "application/octet-stream")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing for a request."""

    def finish(self) -> None:
        """Close, also where the client has gone."""
        try:
            super().finish()
        except (ConnectionError, TimeoutError):
            pass
