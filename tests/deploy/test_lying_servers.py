"""Servers that lie, break off or never end: the right answers, or one sentence."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from lazy import WHEN_RUN

from resect.errors import RunError

if WHEN_RUN:
    from tools.fuzz import servers

    from resect.deploy.http_client import Client

NAMES = (
    "properties of a list", "slots of a text", "10^9 slots", "no context", "a context of 10^30",
    "an answer that nests", "a number of 5,000 digits", "tokens of null", "tokens of texts",
    "negative tokens", "no probability", "a probability above 1", "a probability of NaN",
    "a moved server",
)  # fmt: skip


def test_a_sound_server_is_asked():
    with servers.server([]) as address:
        assert servers.ask(address) is None
        assert servers.grade(address) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_lie_is_one_sentence(name):
    trial = servers.golden(name)
    assert trial.outcome == "sentence", trial


@pytest.mark.parametrize("name", ["an answer cut short", "an answer of 10^12 bytes"])
def test_what_breaks_off_is_asked_once_more(name):
    trial = servers.golden(name)
    assert trial.outcome in ("read", "sentence"), trial


def test_every_lie_of_a_judge_is_one_sentence():
    trials = [servers.judged(name) for name in servers.JUDGED]
    assert [trial for trial in trials if trial.outcome != "sentence"] == []


def test_a_short_run():
    assert [trial for trial in servers.trials(24, seed=17) if trial.failed] == []


@contextlib.contextmanager
def dripping(head):
    """The address of a server that sends some bytes at once, and then one every 50 ms for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def serve():
        with contextlib.suppress(OSError):
            while not over.is_set():
                connection = listener.accept()[0]
                with connection, contextlib.suppress(OSError):
                    connection.recv(1 << 16)
                    connection.sendall(head)
                    while not over.wait(0.05):
                        connection.sendall(b"a")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n"],
    ids=["all", "status", "header", "no length", "body", "chunk"],
)  # fmt: skip
def test_an_answer_that_drips_ends_at_the_time_limit(head):
    """Each byte comes in time, the whole never."""
    with dripping(head) as address:
        client = Client(address, timeout=0.5)
        started = time.monotonic()
        with pytest.raises(RunError, match=r"does not answer .*timed out") as refused:
            client.get("/props")
        assert time.monotonic() - started < 5
        assert len(str(refused.value).splitlines()) == 1


def test_a_kept_connection_has_its_whole_time_again():
    """What an answer left of its time is no limit of the next one."""
    turns = iter((0.4, 0.4, 0.4))

    def late(body):
        time.sleep(next(turns))
        return servers.answered(body)

    with servers.server([servers.Damage("x", -1, late)], keep=True) as address:
        client = Client(address, timeout=0.7)
        assert [client.get("/props")["total_slots"] for _ in range(3)] == [2, 2, 2]
