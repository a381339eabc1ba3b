"""What a server replies, as typed values; a reply of another shape is one sentence."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from resect.errors import RunError

Token = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=1, lt=2**31)]
Text = Annotated[str, Field(max_length=1000)]


class _Reply(BaseModel):
    """A part of a reply; what else a server says is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Settings(_Reply):
    """How a server generates."""

    n_ctx: Count


class Properties(_Reply):
    """What a llama-server says of itself."""

    total_slots: Annotated[int, Field(ge=1, le=1024)]
    default_generation_settings: Settings
    chat_template: str | None = None
    eos_token: Text | None = None
    model_alias: Text | None = None
    model_ftype: Text | None = None
    build_info: Text | None = None


class Meta(_Reply):
    """Parameters and bytes of a served model; 0 where they are unknown."""

    n_params: Annotated[int, Field(ge=0, lt=2**63)] = 0
    size: Annotated[int, Field(ge=0, lt=2**63)] = 0


class Model(_Reply):
    """One model that a server lists."""

    id: Text = ""
    aliases: tuple[Text, ...] = ()
    meta: Meta | None = None


class Models(_Reply):
    """The models that a server lists."""

    data: tuple[Model, ...] = ()


def _length(told: Any) -> int | None:
    return told if type(told) is int and 0 < told < 2**31 else None


Length = Annotated[int | None, BeforeValidator(_length)]
"""A number of tokens; what is none tells nothing."""


class Listed(_Reply):
    """One model that a server with OpenAI's completions lists."""

    id: Text
    root: Text | None = None
    max_model_len: Length = None
    context_length: Length = None
    max_context_length: Length = None

    @property
    def context(self) -> int | None:
        """Tokens that fit, by whatever name they are told."""
        return self.max_model_len or self.context_length or self.max_context_length


class Listing(_Reply):
    """The models that such a server lists."""

    data: tuple[Listed, ...]


class Version(_Reply):
    """The version of what serves."""

    version: Text


class Loaded(_Reply):
    """A model that Ollama holds in memory."""

    name: Text = ""
    model: Text = ""
    context_length: Length = None

    @property
    def names(self) -> set[str]:
        """What it may be called."""
        names = {self.name, self.model}
        return names | {name.removesuffix(":latest") for name in names}


class Running(_Reply):
    """The models that Ollama holds in memory."""

    models: tuple[Loaded, ...] = ()


class Usage(_Reply):
    """Tokens that were read and written."""

    prompt_tokens: Annotated[int, Field(ge=0, lt=2**31)]
    completion_tokens: Annotated[int, Field(ge=0, lt=2**31)] = 0


class Logs(_Reply):
    """Tokens and their log-probabilities, None of the first."""

    tokens: list[str] = []
    token_logprobs: list[float | None] = []


class Message(_Reply):
    """A turn of a chat."""

    content: str | None = None


class TextChoice(_Reply):
    """A continuation, as a text or as a turn, and why it ended."""

    text: str | None = None
    message: Message | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None
    logprobs: Logs | None = None

    @property
    def written(self) -> str:
        """What was written."""
        return (self.message.content if self.message else self.text) or ""


class TextCompletion(_Reply):
    """What a server with OpenAI's completions continued."""

    choices: Annotated[list[TextChoice], Field(min_length=1)]
    usage: Usage

    @property
    def first(self) -> TextChoice:
        """The continuation, of which only one is asked for."""
        return self.choices[0]


class Tokens(_Reply):
    """Ids of a text."""

    tokens: list[Token]


class Content(_Reply):
    """The text of some ids."""

    content: str


class Rendered(_Reply):
    """Turns in a chat template."""

    prompt: str


class Likelihood(_Reply):
    """A token and its log-probability."""

    id: Token
    logprob: Annotated[float, Field(le=1e-3)]


class Probability(_Reply):
    """A token that was sampled, its log-probability, and the likeliest ones in its place."""

    id: Token
    logprob: Annotated[float, Field(le=1e-3)] | None = None
    top_logprobs: list[Likelihood] = []


class Completion(_Reply):
    """What a server completed."""

    tokens: list[Token] = []
    stop_type: Literal["eos", "word", "limit", "none"] | None = None
    truncated: bool = False
    completion_probabilities: list[Probability] = []


Kind = TypeVar("Kind", bound=BaseModel)


def read(
    kind: type[Kind], reply: Any, address: str, path: str, whose: str = "llama-server"
) -> Kind:
    """A reply as a value of the kind; raises `RunError` where it has another shape than `whose`."""
    try:
        return TypeAdapter(kind).validate_python(reply)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, fault["loc"])) or "it"
        raise RunError(
            f"the server at {address} answers {path} in a form that is not {whose}'s "
            f"({field}: {fault['msg'][:100]})"
        ) from None
