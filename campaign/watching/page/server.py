"""Serve the page that watches a run, on this computer's loopback only."""

import errno
import logging
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from apps.science.errors import ConfigError
from campaign.telling.own_command import as_typed
from campaign.watching.page.page import WINDOWS, Page

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
USUAL_PORT = 8350
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


class WatchServer(ThreadingHTTPServer):
    """Answers / with the page and /status.json with what changes in it."""

    daemon_threads = True

    def __init__(self, run_dir: Path, port: int) -> None:
        """Take the port; 0 takes any that is free.

        Raises
        ------
        ConfigError
            If ``run_dir`` is no run folder, or the port cannot be had.
        """
        self.page = Page(run_dir)
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            raise ConfigError(_refused(run_dir, port, error)) from None
        except OverflowError:
            raise ConfigError(f"Port {port} is none; give one up to 65535.") from None

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{LOOPBACK}:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: WatchServer
    server_version = "weft"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer one request."""
        try:
            asked = urlsplit(self.path)
        except ValueError:  # such as http://[
            self._answer(HTTPStatus.BAD_REQUEST, "text/plain", "not an address\n")
            return
        if not self._for_us():
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", "not for this host\n")
        elif asked.path == "/":
            self._try("text/html", self.server.page.html)
        elif asked.path == "/status.json":
            window = parse_qs(asked.query).get("window", ["all"])[0]
            window = window if window in WINDOWS else "all"
            self._try("application/json", lambda: self.server.page.json(window))
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", "not here\n")

    def _for_us(self) -> bool:
        """Refuse names that another site may have pointed at this computer."""
        try:
            asked = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        except ValueError:  # such as [::1 without its end
            return False
        return asked.lower() in {LOOPBACK, "localhost", "::1"}

    def _try(self, kind: str, make: Callable[[], str]) -> None:
        try:
            body = make()
        except Exception:
            log.exception("could not read the run")
            self._answer(
                HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", "cannot read the run\n"
            )
            return
        self._answer(HTTPStatus.OK, kind, body)

    def _answer(self, status: HTTPStatus, kind: str, body: str) -> None:
        data = body.encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("Content-Security-Policy", _POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(data)
        except (BrokenPipeError, ConnectionResetError):
            log.debug("the page was closed before its answer came")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing on the terminal for each request."""
        log.debug(format, *args)


def _refused(run_dir: Path, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        why = "is taken by another program"
    elif error.errno == errno.EACCES:
        why = "is kept for the system"
    else:
        why = f"cannot be had ({error.strerror})"
    return (
        f"Port {port} of this computer {why}. Give another, or 0 for any that is "
        f"free: weft watch {as_typed(run_dir)} --port 0"
    )
