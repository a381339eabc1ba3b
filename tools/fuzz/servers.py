"""Lying servers: a llama-server and a judge whose answers are damaged in one place.

A real socket on loopback serves sound replies, of which one is changed: a value of its JSON, its
bytes, its end, its status, its length. The client asks a whole small task of it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from resect.errors import RequestError
from resect.record import Item
from tools.fuzz.model_folders import HOSTILE
from tools.fuzz.trial import Trial, changed, tried

ITEMS = [
    Item(f"i{n}", f"Question {n}?\nAnswer:", "yes", ("yes", "no"), choices=(" yes", " no"))
    for n in range(2)
]

BYTES = (
    b"", b"null", b"[]", b"{}", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b"\xff\xfe",
    b"NaN", b'"x"', b"<html>", b'{"error": {"message": "no"}}', b'{"error": []}', b"\x00" * 100,
    b'{"data": [' + b"1," * 100_000 + b"1]}",
)  # fmt: skip

STATUSES = (100, 204, 301, 302, 400, 401, 404, 429, 500, 503, 999)


class Damage(NamedTuple):
    """What is changed in the answer number `turn`: `apply` makes the answer's raw bytes of it."""

    kind: str
    turn: int
    apply: Callable[[bytes], bytes]


def answered(body: bytes, status: int = 200, length: int | None = None, head: bytes = b"") -> bytes:
    """The raw bytes of an answer."""
    size = len(body) if length is None else length
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%s\r\n%s" % (status, size, head, body)


def reply(path: str, fields: dict[str, Any]) -> dict[str, Any]:
    """What a sound server says."""
    if path == "/props":
        return {"total_slots": 2, "default_generation_settings": {"n_ctx": 8192},
                "chat_template": "x", "eos_token": "</s>", "model_alias": "m", "build_info": "b1",
                "model_ftype": "F16"}  # fmt: skip
    if path == "/v1/models":
        return {"data": [{"id": "m", "aliases": [], "meta": {"n_params": 10, "size": 20}}]}
    if path == "/tokenize":
        text = fields["content"]
        return {"tokens": [7] if text == "</s>" else [*text.encode()]}
    if path == "/detokenize":
        return {"content": bytes(fields["tokens"]).decode("utf-8", "replace")}
    if path == "/completion":
        bias = fields.get("logit_bias")
        told: list[dict[str, Any]] = [{"id": bias[0][0], "logprob": -1.5}] if bias else []
        if fields.get("n_probs", 0) > 1:
            tops = [{"id": token, "logprob": -1.0 - token} for token in range(4)]
            told = [{"id": 0, "logprob": -1.0, "top_logprobs": tops}]
        return {"tokens": [*b" yes"], "stop_type": "eos", "truncated": False, "content": " yes",
                "completion_probabilities": told}  # fmt: skip
    return {"choices": [{"message": {"role": "assistant", "content": "Score: 4"}}]}


@contextlib.contextmanager
def server(damage: list[Damage], keep: bool = False) -> Iterator[str]:
    """The address of a server that damages its answers as the list says when it is asked.

    `keep`: a connection stays open after a damaged answer, too.
    """
    turns = itertools.count()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            fields = json.loads(self.rfile.read(size)) if size else {}
            body = json.dumps(reply(self.path, fields)).encode()
            turn = next(turns)
            raw = answered(body)
            for part in damage:
                if part.turn == turn or part.turn < 0:
                    raw = part.apply(body)
                    self.close_connection = not keep
            self.wfile.write(raw)

        do_GET = do_POST = _answer

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(OSError, ValueError):
                super().handle()

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    thread = threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        http.server_close()


def ask(address: str) -> str | None:
    """Ask a whole small task of a server; what comes must be answers of the right shape."""
    from resect.deploy import endpoint
    from resect.deploy.http_asker import HttpAsker

    served = endpoint.at(address, timeout=1.0, waits=())
    if not isinstance(served, endpoint.Endpoint):
        raise RequestError("it is no llama-server")
    asker = HttpAsker(served.tokenizer, ITEMS, 4, ("\n",), slots=served.slots)
    asker.verify(served.connect(asker.room))
    answers = [answer for batch in asker.ask(served.connect) for answer in batch.answers]
    served.measured("s")
    if len(answers) != len(ITEMS):
        return f"{len(answers)} answers to {len(ITEMS)} items"
    for answer in answers:
        if answer.option_scores is None or any(score > 0.1 for score in answer.option_scores):
            return f"scores {answer.option_scores}"
    return None


def grade(address: str) -> str | None:
    """Ask a judge for one grade; it is a number from 0 to 1 or none."""
    from resect.running import judge

    endpoint = judge.Endpoint(f"{address}/v1", "m", timeout=1.0, waits=())
    score = judge.score(endpoint(judge.messages(ITEMS[0], "yes")))
    return None if score is None or 0 <= score <= 1 else f"a grade of {score}"


def damaged(dice: random.Random, turns: int) -> Damage:
    """One change of one answer."""
    turn = dice.randrange(turns)
    kind = dice.choice(("value", "value", "value", "bytes", "cut", "status", "length", "head"))
    seed = dice.random()

    def change(body: bytes) -> bytes:
        inner = random.Random(seed)
        if kind == "value":
            return answered(json.dumps(changed(json.loads(body), HOSTILE, inner)).encode())
        if kind == "bytes":
            return answered(inner.choice(BYTES))
        if kind == "cut":
            raw = answered(body)
            return raw[: inner.randrange(len(raw))]
        if kind == "status":
            head = inner.choice((b"", b"Location: http://127.0.0.1:1/\r\n"))
            return answered(body, inner.choice(STATUSES), head=head)
        if kind == "length":
            return answered(body, length=inner.choice((0, 1, len(body) - 1, len(body) + 1, 10**12)))
        odd = (b"X: " + b"a" * 70_000 + b"\r\n", b"X: a\r\n" * 200, b"\x00\xff: \x01\r\n", b"\r\n",
               b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n")  # fmt: skip
        return answered(body, head=inner.choice(odd))

    return Damage(kind, turn, change)


def _json(**fields: Any) -> Callable[[bytes], bytes]:
    return lambda body: answered(json.dumps({**json.loads(body), **fields}).encode())


PROPS, MODELS = 0, 2
GOLDEN: dict[str, Damage] = {
    "properties of a list": Damage("x", PROPS, lambda body: answered(b"[1]")),
    "slots of a text": Damage("x", PROPS, _json(total_slots="x")),
    "10^9 slots": Damage("x", PROPS, _json(total_slots=10**9)),
    "no context": Damage("x", PROPS, _json(default_generation_settings=None)),
    "a context of 10^30": Damage("x", PROPS, _json(default_generation_settings={"n_ctx": 10**30})),
    "an answer that nests": Damage("x", PROPS, lambda body: answered(b"[" * 200_000)),
    "a number of 5,000 digits": Damage("x", PROPS, lambda body: answered(b"9" * 5000)),
    "tokens of null": Damage("x", -1, _json(tokens=None)),
    "tokens of texts": Damage("x", -1, _json(tokens=["a"])),
    "negative tokens": Damage("x", -1, _json(tokens=[-1])),
    "no probability": Damage("x", -1, _json(completion_probabilities=[])),
    "a probability above 1": Damage(
        "x", -1, _json(completion_probabilities=[{"id": 32, "logprob": 5.0}])
    ),
    "a probability of NaN": Damage(
        "x", -1, _json(completion_probabilities=[{"id": 32, "logprob": float("nan")}])
    ),
    "an answer cut short": Damage("x", 5, lambda body: answered(body, length=len(body) + 9)),
    "an answer of 10^12 bytes": Damage("x", 5, lambda body: answered(body, length=10**12)),
    "a moved server": Damage(
        "x", PROPS, lambda body: answered(body, 302, head=b"Location: http://127.0.0.1:1/\r\n")
    ),
}  # fmt: skip
"""Answers that failed earlier versions, and edges of the limits; each is one sentence or the same
answers, where the server is asked once more."""

JUDGED: dict[str, Callable[[bytes], bytes]] = {
    "no choices": lambda body: answered(b'{"choices": []}'),
    "choices of a number": lambda body: answered(b'{"choices": 5}'),
    "a message that nests": lambda body: answered(b"[" * 200_000),
    "an answer cut short": lambda body: answered(body, length=len(body) + 9),
    "no status": lambda body: b"hello\r\n\r\n",
    "chunks that are none": lambda body: answered(body, head=b"Transfer-Encoding: chunked\r\n"),
}
"""Replies of a judge that are one sentence."""


def trials(count: int, seed: int) -> Iterator[Trial]:
    """One server a trial: three of four are llama-servers, the others judges."""
    with server([]) as address:  # imports are no part of a trial
        ask(address)
        grade(address)
    dice = random.Random(seed)
    for number in range(count):
        judging = number % 4 == 3
        damage = damaged(dice, 1 if judging else 24)
        with server([damage]) as address:
            act = grade if judging else ask
            name = "judge" if judging else "llama-server"
            yield tried(f"{name}, {damage.kind}", lambda a=act, where=address: a(where))


def golden(name: str) -> Trial:
    """The trial of one golden case of a llama-server."""
    with server([GOLDEN[name]]) as address:
        return tried(name, lambda: ask(address))


def judged(name: str) -> Trial:
    """The trial of one golden case of a judge."""
    with server([Damage("x", 0, JUDGED[name])]) as address:
        return tried(name, lambda: grade(address))
