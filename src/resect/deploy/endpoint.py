"""A server that somebody else runs, named by its address, as a model: llama.cpp's, or another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from resect.deploy.deployed import put
from resect.deploy.http_client import Client, Gone, Refused
from resect.deploy.openai_endpoint import OpenAiEndpoint
from resect.errors import RequestError, RunError
from resect.record import LLAMA_CPP, Item, Measurement, TaskInfo, digest

if TYPE_CHECKING:
    from resect.deploy.http_asker import HttpAsker

_WAITS = (1.0, 4.0, 10.0, 30.0)
"""Seconds after which a server that is gone or busy is asked again: it may be starting anew."""


def is_address(name: str) -> bool:
    """Whether a model is named by an address."""
    return name.startswith(("http://", "https://"))


def at(address: str, model: str | None = None) -> AtAddress:
    """The server at an address. Raises `RequestError` for what cannot be asked."""
    client = Client(address, waits=_WAITS)
    properties = _properties(client)
    if properties is None:
        return OpenAiEndpoint(client, model)
    return Endpoint(client, properties, model)


class Encoding(NamedTuple):
    """Ids of one text, or of several."""

    input_ids: Any


class RemoteTokenizer:
    """A server's own tokenizer, with what asking needs of one of transformers."""

    bos_token_id = None

    def __init__(self, client: Client, properties: dict[str, Any], address: str) -> None:
        self.client, self.name_or_path = client, address
        self.chat_template = properties.get("chat_template")
        end = str(properties.get("eos_token", ""))
        ids = self._ids(end, False) if end else []
        self.eos_token_id = ids[0] if len(ids) == 1 else None

    def __call__(self, text: str | list[str], add_special_tokens: bool = True) -> Encoding:
        """Ids of a text or of each of several."""
        if isinstance(text, str):
            return Encoding(self._ids(text, add_special_tokens))
        return Encoding([self._ids(one, add_special_tokens) for one in text])

    def decode(self, ids: list[int], skip_special_tokens: bool = True) -> str:
        """The text of some ids, without the end token."""
        kept = [token for token in ids if not (skip_special_tokens and token == self.eos_token_id)]
        return str(self.client.post("/detokenize", {"tokens": kept})["content"])

    def apply_chat_template(self, turns: list[dict[str, str]], **how: Any) -> str:
        """Turns in the model's template, which the server fills in."""
        return str(self.client.post("/apply-template", {"messages": turns})["prompt"])

    def _ids(self, text: str, special: bool) -> list[int]:
        asked = {"content": text, "add_special": special, "parse_special": True}
        return list(self.client.post("/tokenize", asked)["tokens"])


class Endpoint:
    """A running llama-server; `connect` gives its client where its context is large enough."""

    runtime = LLAMA_CPP

    def __init__(
        self, client: Client, properties: dict[str, Any], model: str | None = None
    ) -> None:
        self.client, self.properties = client, properties
        self.tokenizer: Any = RemoteTokenizer(client, properties, client.address)
        self.slots = int(self.properties["total_slots"])
        self.room = int(self.properties["default_generation_settings"]["n_ctx"])
        self.about = _about(self.client, model)
        put(self, self)

    @property
    def fingerprint(self) -> str:
        """A name for what is served and by which build, wherever it runs."""
        served = [
            str(self.properties.get(key))
            for key in ("model_alias", "model_ftype", "build_info", "chat_template")
        ]
        meta = self.about.get("meta") or {}
        return "endpoint:" + digest([*served, meta.get("n_params"), meta.get("size"), self.room])

    @property
    def facts(self) -> dict[str, Any]:
        """What provenance says of it."""
        return {
            "runtime": self.runtime,
            "server": "llama-server",
            "version": str(self.properties.get("build_info", "unknown")),
            "address": self.client.address,
            "n_ctx": self.room,
            "slots": self.slots,
        }

    def asker(self, items: Sequence[Item], info: TaskInfo) -> HttpAsker:
        """What asks a task's items here: the tokens are the server's own tokenizer's."""
        from resect.deploy.http_asker import HttpAsker

        return HttpAsker(self.tokenizer, items, info.max_new_tokens, info.stop, slots=self.slots)

    @property
    def kind(self) -> str:
        """The type of its weights, as it says."""
        return str(self.properties.get("model_ftype", "unknown"))

    def connect(self, room: int) -> Client:
        """The client; raises `RequestError` where a slot has too little room."""
        if room > self.room:
            raise RequestError(
                f"the server at {self.client.address} reads {self.room} tokens in a slot, and the "
                f"longest prompt with its answer has {room}: start it with a larger --ctx-size."
            )
        return self.client

    def close(self) -> None:
        """Nothing ends: the server is somebody else's."""

    def measured(self, state: str) -> Measurement:
        """What the server says of its model; what it does not say is 0."""
        meta = self.about.get("meta") or {}
        parameters, size = int(meta.get("n_params") or 0), int(meta.get("size") or 0)
        return Measurement(
            state=state,
            measured_level=0.0,
            parameters=parameters,
            zeros=None,
            targeted=0,
            bytes_in_memory=size,
            bits_per_weight=8 * size / parameters if parameters else 0.0,
            bytes_on_disk=size or None,
            shape=self.fingerprint,
        )


AtAddress = Endpoint | OpenAiEndpoint
"""What is asked at an address."""


def _properties(client: Client) -> dict[str, Any] | None:
    """What llama-server says of itself, None of another server; `RequestError` where none is."""
    try:
        properties = client.get("/props")
    except Gone as error:
        raise RequestError(f"{error}: check the address, and that the server is started.") from None
    except Refused as error:
        if error.status == 503:
            raise RequestError(f"{client.address} is loading its model: try again then.") from None
        if error.status == 401:
            raise RequestError(
                f"{client.address} wants a key: put it into the variable RESECT_API_KEY."
            ) from None
        return None
    is_ours = isinstance(properties, dict) and "total_slots" in properties
    return properties if is_ours else None


def _about(client: Client, model: str | None) -> dict[str, Any]:
    """What the server lists of the model; raises `RequestError` where it serves another."""
    try:
        listed = client.get("/v1/models").get("data", [])
    except RunError:
        listed = []
    if model is None:
        return dict(listed[0]) if listed else {}
    for one in listed:
        names = {str(one.get("id")), str(one.get("id")).rpartition("/")[2], *one.get("aliases", [])}
        if model in names:
            return dict(one)
    others = ", ".join(str(one.get("id")) for one in listed) or "none that it names"
    raise RequestError(f"{client.address} does not serve {model}: it serves {others}.")
