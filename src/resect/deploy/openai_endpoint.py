"""A server with OpenAI's completions (vLLM and others), named by its address, as a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from resect.deploy.deployed import put
from resect.deploy.http_client import Client, Gone, Refused
from resect.errors import RequestError
from resect.record import Item, Measurement, TaskInfo, digest

ROUTE = "/v1/completions"


class OpenAiEndpoint:
    """A running server; `connect` gives its client where its context is large enough.

    What a server does not say of itself (its context, whether it tells log-probabilities of a
    prompt) is asked before the first item.
    """

    slots = 8

    def __init__(self, client: Client, model: str | None = None) -> None:
        self.client = client
        self.about = _listed(client, model)
        self.served = str(self.about["id"])
        self.runtime, self.version = _software(client)
        self.room = _context(client, self.about, self.runtime)
        self.tells = _tells(client, self.served)
        put(self, self)

    @property
    def fingerprint(self) -> str:
        """A name for what is served and by which build, wherever it runs."""
        told = [self.served, self.about.get("root"), self.runtime, self.version, self.room]
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
        return int(self.client.post(ROUTE, asked)["usage"]["prompt_tokens"])

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


def _listed(client: Client, model: str | None) -> dict[str, Any]:
    """The model as the server lists it; raises `RequestError` where there is none such."""
    try:
        listed = client.get("/v1/models")["data"]
    except Gone as error:
        raise RequestError(f"{error}: check the address, and that the server is started.") from None
    except (Refused, LookupError, TypeError):
        raise RequestError(
            f"{client.address} is no server that can be asked: it has neither /props of "
            "llama-server nor /v1/models. Give the address without /v1."
        ) from None
    names = [str(one.get("id")) for one in listed]
    if model is None and len(listed) == 1:
        return dict(listed[0])
    if model is None:
        raise RequestError(f"{client.address} serves {', '.join(names)}: choose one with --model.")
    if model not in names:
        others = ", ".join(names) or "none that it names"
        raise RequestError(f"{client.address} does not serve {model}: it serves {others}.")
    return dict(listed[names.index(model)])


def _software(client: Client) -> tuple[str, str]:
    """What serves, and its version, where it can be told."""
    for route, name in (("/version", "vllm"), ("/api/version", "ollama")):
        told = _maybe(client, route)
        if isinstance(told, dict) and "version" in told:
            return name, str(told["version"])
    return "endpoint", "unknown"


def _context(client: Client, about: dict[str, Any], runtime: str) -> int | None:
    """Tokens that fit, None where the server does not say."""
    for key in ("max_model_len", "context_length", "max_context_length"):
        if isinstance(about.get(key), int):
            return int(about[key])
    if runtime != "ollama":
        return None
    # Ollama cuts longer prompts and says nothing: only a model that is loaded has its context told
    client.post(ROUTE, {"model": about["id"], "prompt": "a", "max_tokens": 1})
    loaded = (_maybe(client, "/api/ps") or {}).get("models", [])
    lengths = [one.get("context_length") for one in loaded if about["id"] in _names(one)]
    return next((int(length) for length in lengths if length), None)


def _names(loaded: dict[str, Any]) -> set[str]:
    names = {str(loaded.get("name")), str(loaded.get("model"))}
    return names | {name.removesuffix(":latest") for name in names}


def _tells(client: Client, model: str) -> bool:
    """Whether log-probabilities of a prompt's tokens are told."""
    try:
        told = client.post(ROUTE, echoed(model, "a b c"))
        logs = told["choices"][0]["logprobs"]["token_logprobs"]
    except (Refused, LookupError, TypeError):
        return False
    return len(logs) >= told["usage"]["prompt_tokens"] and any(x is not None for x in logs[1:-1])


def echoed(model: str, text: str) -> dict[str, Any]:
    """A request for the log-probabilities of a text's own tokens."""
    return {
        "model": model, "prompt": text, "max_tokens": 1, "temperature": 0, "echo": True,
        "logprobs": 1,
    }  # fmt: skip


def _maybe(client: Client, route: str) -> Any:
    """What a route tells, None where the server has none."""
    try:
        return client.get(route)
    except Refused:
        return None
