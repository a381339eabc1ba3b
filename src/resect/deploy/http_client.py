"""JSON over HTTP: connections stay open between requests; what goes wrong in one sentence."""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import time
import weakref
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import from_json

from resect.errors import RequestError, RunError

KEY = "RESECT_API_KEY"
"""The environment variable with an endpoint's key, which is sent and nowhere stored."""
NO_KEY = ""
"""For a client that takes no key from there either."""

LARGEST = 64 << 20
"""Bytes of an answer at most."""


class Gone(RunError):
    """A server does not answer any more."""


class Refused(RunError):
    """A server answered that it will not; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def busy(self) -> bool:
        """Whether it may do so later: it has no time, or what came was cut short."""
        return self.status == 429 or self.status >= 500 or self.status < 300


class _Timed(io.RawIOBase):
    """The bytes of a socket up to a time, however slowly they come."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__()
        self._sock = sock
        self._bytes = sock.makefile("rb", buffering=0)
        self._end = time.monotonic() + (sock.gettimeout() or 0)

    def makefile(self, mode: str) -> io.BufferedReader:
        """What HTTPResponse reads from."""
        assert mode == "rb"
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Some bytes; raises `TimeoutError` where none came in time."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._bytes.readinto(buffer)

    def close(self) -> None:
        """Let go of the socket."""
        self._bytes.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """An answer whose status, headers and body come within one time limit, the socket's."""

    def __init__(self, sock: Any, *given: Any, **named: Any) -> None:
        super().__init__(_Timed(sock), *given, **named)  # type: ignore[arg-type]


class Client:
    """Requests to one address; may be used by several threads. Redirects are not followed.

    `timeout`: seconds to connect in, to send in, and for the whole answer.

    A request that a server is too busy for, or that finds none, is sent again after each of
    `waits` (seconds). `key` is sent and nowhere stored. Connections end with `close`, or when the
    client is gone.
    """

    def __init__(
        self,
        address: str,
        timeout: float = 600.0,
        key: str | None = None,
        waits: Sequence[float] = (),
    ) -> None:
        try:
            parts = urlsplit(address)
            known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # a port that is no number, a bracket that is not closed
            known = False
        if not known or not address.isprintable():
            raise RequestError(f"{address} is no address of a server: write http://HOST:PORT.")
        self.address, self.timeout, self._key = address.rstrip("/"), timeout, key
        self._waits = tuple(waits)
        self._kind = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._host, self._port = parts.hostname or "", parts.port
        self._path = parts.path.rstrip("/")
        self._idle: list[http.client.HTTPConnection] = []
        weakref.finalize(self, _close, self._idle)

    def get(self, path: str) -> Any:
        """What an address holds, read as JSON."""
        return self._ask("GET", path, None)

    def post(self, path: str, fields: dict[str, Any]) -> Any:
        """The answer to some fields."""
        return self._ask("POST", path, json.dumps(fields).encode())

    def close(self) -> None:
        """Close the connections that are open; a later request opens one anew."""
        _close(self._idle)

    def _ask(self, verb: str, path: str, body: bytes | None) -> Any:
        for wait in self._waits:
            try:
                return self._once(verb, path, body)
            except (Gone, Refused) as error:
                if isinstance(error, Refused) and not error.busy:
                    raise
            time.sleep(wait)
        return self._once(verb, path, body)

    def _once(self, verb: str, path: str, body: bytes | None) -> Any:
        headers = {"Content-Type": "application/json"}
        key = os.environ.get(KEY) if self._key is None else self._key
        if key:
            headers["Authorization"] = f"Bearer {key}"
        try:
            status, content = self._send(verb, self._path + path, body, headers)
        except (OSError, http.client.HTTPException, UnicodeError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise Gone(f"the server at {self.address} does not answer ({why})") from None
        try:
            reply = from_json(content) if content else None
        except ValueError:  # also what nests without end
            reply = None
        if status >= 300 or reply is None:
            why = _reason(reply) or f"status {status}"
            raise Refused(status, f"the server at {self.address} refused {path} ({why})")
        return reply

    def _send(
        self, verb: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        try:
            connection, fresh = self._idle.pop(), False
            if connection.sock is not None:
                connection.sock.settimeout(self.timeout)  # the last answer left what remained
        except IndexError:
            connection, fresh = self._kind(self._host, self._port, timeout=self.timeout), True
            connection.response_class = _Answer
        try:
            connection.request(verb, path, body, headers)
            answer = connection.getresponse()
            content = whole(answer)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            connection.close()
            if fresh:
                raise
            return self._send(verb, path, body, headers)  # a server may close what was idle
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer.status, content


def _close(connections: list[http.client.HTTPConnection]) -> None:
    while connections:
        connections.pop().close()


def whole(answer: http.client.HTTPResponse) -> bytes:
    """The body of an answer; raises `OSError` where it has no end."""
    pieces, size = [], 0
    while piece := answer.read1(1 << 16):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            raise OSError(f"its answer is longer than {LARGEST >> 20} MiB")
    if answer.length:  # `read1` ends without a word where the connection did
        raise http.client.IncompleteRead(b"", answer.length)
    answer.read()  # nothing, but only this tells the connection that it is free again
    return b"".join(pieces)


def _reason(reply: Any) -> str:
    """What a server says of an error."""
    error = reply.get("error", reply) if isinstance(reply, dict) else reply
    message = error.get("message", error) if isinstance(error, dict) else error
    return str(message)[:200] if message else ""
