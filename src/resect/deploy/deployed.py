"""A model that is asked as a file: where the file is, and the server that answers for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from resect.deploy import server as serving
from resect.deploy.http_client import Client
from resect.models.scratch import Scratch

_PLACE = "resect_file"


class Served(Protocol):
    """What answers for a model: a file with its server, or a server at an address."""

    def connect(self, room: int) -> Client:
        """A client whose slots have so much room."""
        ...

    def close(self) -> None:
        """End what was started."""
        ...


class Deployed:
    """A model's file, and the server that answers for it.

    `connect` gives a client of a server with at least so much room in a slot, started or started
    anew where it is needed. The file and the server are gone when this object is.
    """

    slots = 4

    def __init__(self, folder: Scratch, path: Path, kv: str, threads: int) -> None:
        self.folder, self.path, self.kv, self.threads = folder, path, kv, threads
        self._server: serving.Server | None = None

    def connect(self, room: int) -> Client:
        """A client of this file's server."""
        held = self._server
        if held is None or not held.alive or held.flags.room < room:
            self.close()
            flags = serving.Flags(room, self.slots, self.kv, self.threads)
            held = self._server = serving.Server(self.path, flags)
        return held.client

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def __deepcopy__(self, memo: Any) -> Deployed:
        return self


def deployed(model: object) -> Any:
    """What is asked for a model (`Served`), None where it is asked as it is."""
    return vars(model).get(_PLACE)


def put(model: object, served: Served) -> None:
    """Let a file or a server stand for a model from here on."""
    vars(model)[_PLACE] = served
