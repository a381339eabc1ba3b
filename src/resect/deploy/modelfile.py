"""An Ollama Modelfile for a GGUF file: its template is read off the model's own chat template."""

from __future__ import annotations

from typing import NamedTuple

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

_SYSTEM, _USER, _ANSWER, _LAST = "{SYSTEM}", "{USER}", "{ANSWER}", "{LAST}"


class Pieces(NamedTuple):
    """What a chat template puts around the parts of a conversation.

    `alone` stands where no system text is given; it may hold a text of the template's own.
    """

    alone: str
    before_system: str
    after_system: str
    before_user: str
    after_user: str
    after_answer: str


def modelfile(tokenizer: PreTrainedTokenizerBase, file: str, context: int | None = None) -> str:
    """The Modelfile of `file`, decoding greedily as it was tested; `context` is num_ctx."""
    pieces = read(tokenizer)
    lines = [f"FROM ./{file}"]
    if pieces is None:
        lines += ["# No chat template that Ollama could follow: prompts go in as they are."]
        lines += ['TEMPLATE """{{ .Prompt }}"""']
    else:
        lines += [f'TEMPLATE """{_in_go(pieces)}"""']
    end = tokenizer.eos_token
    lines += [f'PARAMETER stop "{end}"'] if isinstance(end, str) and '"' not in end else []
    lines += [f"PARAMETER num_ctx {context}"] if context else []
    return "\n".join([*lines, "PARAMETER temperature 0", ""])


def read(tokenizer: PreTrainedTokenizerBase) -> Pieces | None:
    """The pieces of a chat template, None where there is none that is made of such pieces."""
    if not tokenizer.chat_template:
        return None
    user, answer = ("user", _USER), ("assistant", _ANSWER)
    try:
        alone = _rendered(tokenizer, [user])
        ended = _rendered(tokenizer, [user, answer], begun=False)
        answered = _rendered(tokenizer, [user, answer, ("user", _LAST)])
    except TemplateError:
        return None
    before, _, after = alone.partition(_USER)
    prefix, _, middle = answered.partition(_ANSWER)
    end = ended.partition(_ANSWER)[2]
    before_user = middle.removesuffix(f"{_LAST}{after}").removeprefix(end)
    if prefix != f"{before}{_USER}{after}" or middle != f"{end}{before_user}{_LAST}{after}":
        return None
    if not before.endswith(before_user):
        return None
    head = before[: len(before) - len(before_user)]
    first, last = _of_system(tokenizer, before_user, after) or (head, "")
    return Pieces(head, first, last, before_user, after, end)


def _of_system(
    tokenizer: PreTrainedTokenizerBase, before_user: str, after: str
) -> tuple[str, str] | None:
    """What stands around a system text; None where the template takes none."""
    try:
        whole = _rendered(tokenizer, [("system", _SYSTEM), ("user", _USER)])
    except TemplateError:
        return None
    first, found, rest = whole.partition(_SYSTEM)
    ending = f"{before_user}{_USER}{after}"
    return (first, rest.removesuffix(ending)) if found and rest.endswith(ending) else None


def _rendered(
    tokenizer: PreTrainedTokenizerBase, turns: list[tuple[str, str]], begun: bool = True
) -> str:
    """Turns in the template, without the token that llama.cpp puts before every prompt.

    `begun`: ready for an answer.
    """
    listed = [{"role": role, "content": text} for role, text in turns]
    text = str(tokenizer.apply_chat_template(listed, tokenize=False, add_generation_prompt=begun))
    begin = tokenizer.bos_token
    if isinstance(begin, str) and list(tokenizer("a").input_ids)[:1] == [tokenizer.bos_token_id]:
        return text.removeprefix(begin)
    return text


def _in_go(pieces: Pieces) -> str:
    """Ollama's template of a whole conversation, in Go's language."""
    alone = f"{{{{ if not .System }}}}{pieces.alone}{{{{ end }}}}" if pieces.alone else ""
    system = f"{pieces.before_system}{{{{ .Content }}}}{pieces.after_system}"
    user = f"{pieces.before_user}{{{{ .Content }}}}{pieces.after_user}"
    answer = f"{{{{ .Content }}}}{pieces.after_answer}"
    return (
        f"{alone}{{{{ range .Messages }}}}"
        f'{{{{ if eq .Role "system" }}}}{system}'
        f'{{{{ else if eq .Role "user" }}}}{user}'
        f'{{{{ else if eq .Role "assistant" }}}}{answer}'
        "{{ end }}{{ end }}"
    )
