"""A small model hub: takes a repository and one commit, as huggingface.co does."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub:
    """What was uploaded: `files` by their path, `repos` that were made; `refuse` a status."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.repos: list[str] = []
        self.refuse: int | None = None
        self.address = ""


@contextmanager
def hub() -> Iterator[Hub]:
    """A hub at an address of this machine."""
    held = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._tell(200, {"sha": "0" * 40, "siblings": [], "id": "me/small"})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if held.refuse is not None:
                self._tell(held.refuse, {"error": "no"})
                return
            if self.path.endswith("/repos/create"):
                held.repos.append(json.loads(body)["name"])
                self._tell(200, {"url": f"{held.address}/me/small"})
            elif "/preupload/" in self.path:
                asked = json.loads(body)["files"]
                told = [
                    {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for one in asked
                ]
                self._tell(200, {"files": told})
            elif "/commit/" in self.path:
                for line in map(json.loads, body.decode().splitlines()):
                    if line["key"] == "file":
                        value = line["value"]
                        held.files[value["path"]] = base64.b64decode(value["content"])
                url = f"{held.address}/me/small/commit/{'0' * 40}"
                self._tell(200, {"commitUrl": url, "commitOid": "0" * 40, "success": True})
            else:
                self._tell(200, {})

        def _tell(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    held.address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield held
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
