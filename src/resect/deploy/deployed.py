"""A model that is asked as a file, or was loaded from one: where it is, and what answers for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from resect.deploy import server as serving
from resect.deploy.http_client import Client
from resect.errors import RunError
from resect.models.scratch import Scratch
from resect.spec import Runtime

_PLACE, _FOLDER = "resect_file", "resect_folder"


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

    slots = serving.SLOTS

    def __init__(self, folder: Scratch, path: Path, runtime: Runtime, threads: int) -> None:
        self.folder, self.path, self.runtime, self.threads = folder, path, runtime, threads
        self._server: serving.Server | None = None

    def connect(self, room: int) -> Client:
        """A client of this file's server; raises `RunError` beyond the context that was asked."""
        if self.runtime.n_ctx is not None:
            if room > self.runtime.n_ctx:
                raise RunError(too_small(self.runtime.n_ctx, room))
            room = self.runtime.n_ctx
        held = self._server
        if held is None or not held.alive or held.flags.room < room:
            self.close()
            flags = serving.Flags(room, self.slots, self.runtime.kv, self.threads)
            held = self._server = serving.Server(self.path, flags)
        return held.client

    @property
    def pid(self) -> int | None:
        """The server's process."""
        return None if self._server is None else self._server.pid

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


def removed(model: object) -> Served:
    """What stood for a model, which is asked as it is from here on."""
    served: Served = vars(model).pop(_PLACE)
    return served


def keep_folder(model: object, folder: Scratch, place: Path) -> None:
    """Remember where a model was loaded from: `place`, in a folder that lives as long as it."""
    vars(model)[_FOLDER] = (folder, place)


def folder_of(model: object) -> Path | None:
    """The folder that a model was loaded from and is written as, None where it has none."""
    place: Path | None = vars(model).get(_FOLDER, (None, None))[1]
    return place


def too_small(context: int, room: int) -> str:
    """The sentence on a context that is too small for a prompt and its answer."""
    return (
        f"n_ctx is {context} tokens, and the longest prompt with its answer has {room}: raise "
        "n_ctx in the study's runtime, or lower --max_new_tokens."
    )
