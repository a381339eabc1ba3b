"""Serve the view on the loopback address until Ctrl-C."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

from resect.errors import RequestError

HOST = "127.0.0.1"


def serve(folder: Path, port: int, tell: Callable[[str], None]) -> None:
    """Serve the run in `folder` on `port` (0: any free one); `tell` gets the address."""
    try:
        import uvicorn

        from resect.view.web_app import application, new_token
    except ImportError:
        raise RequestError("the view needs a web server: pip install 'resect[view]'.") from None
    token = new_token()
    app = application(folder, token)
    with contextlib.closing(_listening(port)) as listener:
        tell(f"http://{HOST}:{listener.getsockname()[1]}/{token}/")
        config = uvicorn.Config(
            app, lifespan="off", log_level="error", access_log=False, server_header=False
        )
        uvicorn.Server(config).run(sockets=[listener])


def _listening(port: int) -> socket.socket:
    """A socket on the loopback address; `RequestError` where the port is taken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError):
        listener.close()
        raise RequestError(f"port {port} cannot be used: give another --port.") from None
    return listener
