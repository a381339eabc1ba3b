"""A server with OpenAI's completions (vLLM and others), named by its address, as a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from resect.deploy import replies
from resect.deploy.deployed import put
from resect.deploy.http_client import KEY, Client, Gone, Refused
from resect.deploy.replies import Kind, Listed, TextCompletion
from resect.errors import RequestError, RunError
from resect.record import Item, Measurement, TaskInfo, digest

ROUTE = "/v1/completions"
_VERSIONS = (("/version", "vllm"), ("/api/version", "ollama"))


class OpenAiEndpoint:
    """A running server; `connect` gives its client where its context is large enough.

    What a server does not say of itself (its context, whether it tells log-probabilities of a
    prompt) is asked before the first item.
    """

    slots = 8

    def __init__(self, client: Client, model: str | None = None) -> None:
        self.client = client
        self.about = _listed(client, model)
        self.served = self.about.id
        self.runtime, self.version = _software(client)
        self.room = _context(client, self.about, self.runtime)
        self.tells = _tells(client, self.served)
        put(self, self)

    @property
    def fingerprint(self) -> str:
        """A name for what is served and by which build, wherever it runs."""
        told = [self.served, self.about.root, self.runtime, self.version, self.room]
        return "endpoint:" + digest(told)

    @property
    def kind(self) -> str:
        """The type of its weights, which no such server tells."""
        return "unknown"

    @property
    def facts(self) -> dict[str, Any]:
        """What provenance says of it."""
        return {
            "runtime": self.runtime,
            "server": self.runtime,
            "version": self.version,
            "address": self.client.address,
            "n_ctx": self.room,
        }

    def asker(self, items: Sequence[Item], info: TaskInfo) -> Any:
        """What asks a task's items here."""
        from resect.deploy.openai_asker import OpenAiAsker

        return OpenAiAsker(self, items, info)

    def connect(self, room: int) -> Client:
        """The client; raises `RequestError` where the context has too little room."""
        if self.room is not None and room > self.room:
            raise RequestError(
                f"the server at {self.client.address} reads {self.room} tokens, and the longest "
                f"prompt with its answer has {room}: start it with a larger context."
            )
        return self.client

    def close(self) -> None:
        """Nothing ends: the server is somebody else's."""

    def count(self, text: str) -> int:
        """Tokens of a prompt, as the server reads it."""
        asked = {"model": self.served, "prompt": text, "max_tokens": 1, "temperature": 0}
        return completed(self.client, ROUTE, asked).usage.prompt_tokens

    def measured(self, state: str) -> Measurement:
        """Nothing: such a server tells no sizes."""
        return Measurement(
            state=state,
            measured_level=0.0,
            parameters=0,
            zeros=None,
            targeted=0,
            bytes_in_memory=0,
            bits_per_weight=0.0,
            shape=self.fingerprint,
        )


def _listed(client: Client, model: str | None) -> Listed:
    """The model as the server lists it; raises `RequestError` where there is none such."""
    try:
        listed = _read(replies.Listing, client, "/v1/models").data
    except Gone as error:
        raise RequestError(f"{error}: check the address, and that the server is started.") from None
    except RunError as error:
        if isinstance(error, Refused) and error.status in (401, 403):
            raise RequestError(
                f"{client.address} wants a key: put it into the variable {KEY}."
            ) from None
        raise RequestError(
            f"{client.address} is no server that can be asked: it has neither /props of "
            "llama-server nor /v1/models. Give the address without /v1."
        ) from None
    names = [served.id for served in listed]
    if model is None and len(listed) == 1:
        return listed[0]
    if model is None:
        raise RequestError(f"{client.address} serves {', '.join(names)}: choose one with --model.")
    if model not in names:
        others = ", ".join(names) or "none that it names"
        raise RequestError(f"{client.address} does not serve {model}: it serves {others}.")
    return listed[names.index(model)]


def _software(client: Client) -> tuple[str, str]:
    """What serves, and its version, where it can be told."""
    for route, name in _VERSIONS:
        version = _maybe(replies.Version, client, route)
        if version is not None:
            return name, version.version
    return "endpoint", "unknown"


def _context(client: Client, about: Listed, runtime: str) -> int | None:
    """Tokens that fit, None where the server does not say."""
    if about.context is not None or runtime != "ollama":
        return about.context
    # Ollama cuts longer prompts and says nothing: only a model that is loaded has its context told
    client.post(ROUTE, {"model": about.id, "prompt": "a", "max_tokens": 1})
    running = _maybe(replies.Running, client, "/api/ps")
    loaded = [] if running is None else [m for m in running.models if about.id in m.names]
    return next((model.context_length for model in loaded if model.context_length), None)


def _tells(client: Client, model: str) -> bool:
    """Whether log-probabilities of a prompt's tokens are told."""
    try:
        completion = completed(client, ROUTE, echoed(model, "a b c"))
    except Gone:
        raise
    except RunError:
        return False
    logs = completion.first.logprobs.token_logprobs if completion.first.logprobs else []
    enough = len(logs) >= completion.usage.prompt_tokens
    return enough and any(x is not None for x in logs[1:-1])


def completed(client: Client, route: str, fields: dict[str, Any]) -> TextCompletion:
    """What a server continues; raises `RunError` where it does not answer as OpenAI's would."""
    reply = client.post(route, fields)
    return replies.read(TextCompletion, reply, client.address, route, "OpenAI")


def echoed(model: str, text: str) -> dict[str, Any]:
    """A request for the log-probabilities of a text's own tokens."""
    return {
        "model": model, "prompt": text, "max_tokens": 1, "temperature": 0, "echo": True,
        "logprobs": 1,
    }  # fmt: skip


def _read(kind: type[Kind], client: Client, route: str) -> Kind:
    return replies.read(kind, client.get(route), client.address, route, "OpenAI")


def _maybe(kind: type[Kind], client: Client, route: str) -> Kind | None:
    """What a route tells, None where the server has none of that kind."""
    try:
        return _read(kind, client, route)
    except Gone:
        raise
    except RunError:
        return None
