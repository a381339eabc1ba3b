"""A small model hub: takes a repository and one commit, as huggingface.co does."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager

from local_server import JsonHandler, listening


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

    class Handler(JsonHandler):
        def do_GET(self) -> None:
            self.tell(200, {"sha": "0" * 40, "siblings": [], "id": "me/small"})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if held.refuse is not None:
                self.tell(held.refuse, {"error": "no"})
                return
            if self.path.endswith("/repos/create"):
                held.repos.append(json.loads(body)["name"])
                self.tell(200, {"url": f"{held.address}/me/small"})
            elif "/preupload/" in self.path:
                asked = json.loads(body)["files"]
                told = [
                    {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for one in asked
                ]
                self.tell(200, {"files": told})
            elif "/commit/" in self.path:
                for line in map(json.loads, body.decode().splitlines()):
                    if line["key"] == "file":
                        value = line["value"]
                        held.files[value["path"]] = base64.b64decode(value["content"])
                url = f"{held.address}/me/small/commit/{'0' * 40}"
                self.tell(200, {"commitUrl": url, "commitOid": "0" * 40, "success": True})
            else:
                self.tell(200, {})

    with listening(Handler) as address:
        held.address = address
        yield held
