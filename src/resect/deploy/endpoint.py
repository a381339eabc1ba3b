"""A server that somebody else runs, named by its address, as a model: llama.cpp's, or another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from resect.deploy import replies
from resect.deploy.deployed import put
from resect.deploy.http_client import Client, Gone, Refused
from resect.deploy.openai_endpoint import OpenAiEndpoint
from resect.deploy.replies import Kind, Model, Properties
from resect.errors import RequestError, RunError
from resect.record import LLAMA_CPP, Item, Measurement, TaskInfo, digest

if TYPE_CHECKING:
    from resect.deploy.http_asker import HttpAsker

_WAITS = (1.0, 4.0, 10.0, 30.0)
"""Seconds after which a server that is gone or busy is asked again: it may be starting anew."""


def is_address(name: str) -> bool:
    """Whether a model is named by an address."""
    return name.startswith(("http://", "https://"))


def at(
    address: str,
    model: str | None = None,
    patient: bool = False,
    timeout: float = 600.0,
    waits: Sequence[float] = _WAITS,
) -> AtAddress:
    """The server at an address. Raises `RequestError` for what cannot be asked.

    `patient`: it was there before, so that one that is starting anew is waited for.
    """
    client = Client(address, timeout, waits=waits)
    properties = _properties(client if patient else Client(address, timeout))
    if properties is None:
        return OpenAiEndpoint(client, model)
    return Endpoint(client, properties, model)


class Encoding(NamedTuple):
    """Ids of one text, or of several."""

    input_ids: Any


class RemoteTokenizer:
    """A server's own tokenizer, with what asking needs of one of transformers."""

    bos_token_id = None

    def __init__(self, client: Client, properties: Properties, address: str) -> None:
        self.client, self.name_or_path = client, address
        self.chat_template = properties.chat_template
        end = properties.eos_token
        ids = self._ids(end, False) if end else []
        self.eos_token_id = ids[0] if len(ids) == 1 else None

    def __call__(self, text: str | list[str], add_special_tokens: bool = True) -> Encoding:
        """Ids of a text or of each of several."""
        if isinstance(text, str):
            return Encoding(self._ids(text, add_special_tokens))
        return Encoding([self._ids(part, add_special_tokens) for part in text])

    def decode(self, ids: list[int], skip_special_tokens: bool = True) -> str:
        """The text of some ids, without the end token."""
        kept = [token for token in ids if not (skip_special_tokens and token == self.eos_token_id)]
        return self._read(replies.Content, "/detokenize", {"tokens": kept}).content

    def apply_chat_template(self, turns: list[dict[str, str]], **how: Any) -> str:
        """Turns in the model's template, which the server fills in."""
        return self._read(replies.Rendered, "/apply-template", {"messages": turns}).prompt

    def _ids(self, text: str, special: bool) -> list[int]:
        asked = {"content": text, "add_special": special, "parse_special": True}
        return self._read(replies.Tokens, "/tokenize", asked).tokens

    def _read(self, kind: type[Kind], path: str, fields: dict[str, Any]) -> Kind:
        return replies.read(kind, self.client.post(path, fields), self.client.address, path)


class Endpoint:
    """A running llama-server; `connect` gives its client where its context is large enough."""

    runtime = LLAMA_CPP

    def __init__(self, client: Client, properties: Properties, model: str | None = None) -> None:
        self.client, self.properties = client, properties
        self.tokenizer: Any = RemoteTokenizer(client, properties, client.address)
        self.slots = properties.total_slots
        self.room = properties.default_generation_settings.n_ctx
        self.about = _about(self.client, model)
        put(self, self)

    @property
    def fingerprint(self) -> str:
        """A name for what is served and by which build, wherever it runs."""
        about = self.properties
        served = [about.model_alias, about.model_ftype, about.build_info, about.chat_template]
        meta = self.about.meta or replies.Meta()
        return "endpoint:" + digest([*map(str, served), meta.n_params, meta.size, self.room])

    @property
    def facts(self) -> dict[str, Any]:
        """What provenance says of it."""
        return {
            "runtime": self.runtime,
            "server": "llama-server",
            "version": str(self.properties.build_info or "unknown"),
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
        return self.properties.model_ftype or "unknown"

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
        meta = self.about.meta or replies.Meta()
        parameters, size = meta.n_params, meta.size
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


def _properties(client: Client) -> Properties | None:
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
    if not isinstance(properties, dict) or "total_slots" not in properties:
        return None
    return replies.read(Properties, properties, client.address, "/props")


def _about(client: Client, model: str | None) -> Model:
    """What the server lists of the model; raises `RequestError` where it serves another."""
    try:
        listed = replies.read(
            replies.Models, client.get("/v1/models"), client.address, "/v1/models"
        ).data
    except RunError:
        listed = ()
    if model is None:
        return listed[0] if listed else Model()
    for served in listed:
        if model in {served.id, served.id.rpartition("/")[2], *served.aliases}:
            return served
    others = ", ".join(served.id for served in listed[:20]) or "none that it names"
    raise RequestError(f"{client.address} does not serve {model}: it serves {others}.")
