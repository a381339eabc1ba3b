"""Token ids of items: of the prompt, and of every choice after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from resect import limits
from resect.errors import RequestError, RunError
from resect.record import Item

_SECONDS, _ROOM, _LONGEST = 2.0, 128 << 20, 10_000_000
"""Of filling in a chat template once: seconds, bytes, and characters of the text."""


@dataclass(frozen=True)
class Prompt:
    """One tokenized item: prompt ids, and the ids of every choice after the prompt.

    `cut`: the prompt was longer than the model can read. `merged`: some choice changes how the end
    of the prompt is tokenized, so that its score is that of another split.
    """

    ids: list[int]
    choices: list[list[int]]
    cut: bool
    merged: bool


def notes_on(prompts: Sequence[Prompt]) -> list[str]:
    """What was done otherwise than asked in tokenizing: makes a cell degraded, resumed or not."""
    cut, merged = sum(p.cut for p in prompts), sum(p.merged for p in prompts)
    notes = []
    if cut:
        notes.append(f"{cut} prompts were cut from the left to fit the model's positions")
    if merged:
        notes.append(f"in {merged} prompts an option changes the tokens before it")
    return notes


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Item],
    max_new_tokens: int,
    positions: int | None = None,
) -> list[Prompt]:
    """Token ids of prompts and choices; prompts are cut from the left to fit `positions`.

    Special tokens that the tokenizer puts before a text stay, also before a cut prompt; those after
    a text are left out. If a chat template writes the first ones, they are not repeated. Raises
    `RequestError` for a choice that adds no token, a model with no room for a prompt, turns without
    a template, and an empty prompt where the tokenizer has no begin or end token.
    """
    if not items:
        return []
    start = special_prefix(tokenizer)
    shown = [rendered(tokenizer, item) for item in items]
    splits = split(tokenizer, shown, [item.choices for item in items])
    prompts = []
    for item, (ids, choices, merged) in zip(items, splits, strict=True):
        if not all(choices):
            empty = item.choices[choices.index([])]
            raise RequestError(
                f"option {empty!r} adds no token to the prompt of {item.id}: give it another text."
            )
        ids = ids if ids or start else _nothing(tokenizer, item)
        room = (positions or 1 << 30) - max([max_new_tokens, *map(len, choices)]) - len(start)
        if room < 1:
            raise RequestError(
                f"the model reads {positions} tokens, too few for {item.id} and its answer: lower "
                "--max_new_tokens, or leave out the task."
            )
        ids = ids[len(start) :] if item.turns and ids[: len(start)] == start else ids
        prompts.append(Prompt(start + ids[-room:], choices, len(ids) > room, merged))
    return prompts


class Split(NamedTuple):
    """Ids of a text and of its continuations, without special tokens; `merged` as in `Prompt`."""

    ids: list[int]
    after: list[list[int]]
    merged: bool


def split(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], after: Sequence[Sequence[str]]
) -> Iterator[Split]:
    """Ids of texts and their continuations.

    Both are encoded together, as in lm-evaluation-harness: a continuation is what comes after as
    many ids as the text alone has. On its own, it would be encoded like the beginning of a text.
    """
    begun = _encode(tokenizer, list(texts))
    pairs = zip(texts, after, strict=True)
    wholes = iter(
        _encode(tokenizer, [text + continuation for text, ends in pairs for continuation in ends])
    )
    for ids, ends in zip(begun, after, strict=True):
        encoded = [next(wholes) for _ in ends]
        merged = any(ids_of_both[: len(ids)] != ids for ids_of_both in encoded)
        yield Split(ids, [ids_of_both[len(ids) :] for ids_of_both in encoded], merged)


def rendered(tokenizer: PreTrainedTokenizerBase, item: Item) -> str:
    """The text that a model reads: the prompt, or its turns in the model's own chat template.

    If a template has no system turn, its text goes to the top of the first user turn. A final
    assistant turn is the beginning of the answer.
    """
    if not item.turns:
        return item.prompt
    if not tokenizer.chat_template:
        raise RequestError(
            f"{tokenizer.name_or_path} has no chat template: leave out --apply_chat_template."
        )
    turns = [{"role": role, "content": text} for role, text in item.turns]
    try:
        try:
            return _in_template(tokenizer, turns)
        except TemplateError:
            if turns[0]["role"] != "system":
                raise
            first = {"role": "user", "content": f"{turns[0]['content']}\n\n{turns[1]['content']}"}
            return _in_template(tokenizer, [first, *turns[2:]])
    except (RequestError, RunError):
        raise
    except Exception as error:  # templates are programs of others
        why = f"{type(error).__name__}: {error}".splitlines()[0][:200].rstrip(".")
        raise RequestError(
            f"the chat template of {tokenizer.name_or_path} fails ({why}): leave out "
            "--apply_chat_template, or correct the template."
        ) from None


def _in_template(tokenizer: PreTrainedTokenizerBase, turns: list[dict[str, str]]) -> str:
    begun = turns[-1]["role"] == "assistant"
    with limits.bounded(_SECONDS, _ROOM):
        text = str(
            tokenizer.apply_chat_template(
                turns, tokenize=False, add_generation_prompt=not begun, continue_final_message=begun
            )
        )
    if len(text) > _LONGEST:
        raise limits.TooMuch(f"its text is longer than {_LONGEST:,} characters")
    return text


def token_starts(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """The place in `text` where each of its tokens begins."""
    if not tokenizer.is_fast:
        raise RequestError(
            f"{tokenizer.name_or_path} does not tell where its tokens begin: count windows in "
            "words, without tok."
        )
    places = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return [start for start, _ in places.offset_mapping]


def special_prefix(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids that the tokenizer puts before every text (a begin-of-text token, or none)."""
    (plain,) = _encode(tokenizer, ["a"])
    ids = _ids(tokenizer, "a")
    places = range(len(ids) - len(plain) + 1)
    k = next((k for k in places if ids[k : k + len(plain)] == plain), 0)
    return list(ids[:k])


def _nothing(tokenizer: PreTrainedTokenizerBase, item: Item) -> list[int]:
    """The stand-in for an empty prompt: a begin or end token, as in lm-evaluation-harness.

    Without it, the first token of an answer could not be scored.
    """
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return [int(token)]
    raise RequestError(
        f"{item.id} has an empty prompt, and the tokenizer has no begin or end token in its place: "
        "give it a prompt."
    )


def _encode(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    return _ids(tokenizer, texts, add_special_tokens=False) if texts else []


def _ids(tokenizer: PreTrainedTokenizerBase, text: Any, **how: Any) -> list[Any]:
    """Ids of a text or of several; what a tokenizer raises becomes one sentence."""
    try:
        return list(tokenizer(text, **how).input_ids)
    except (RequestError, RunError, MemoryError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a panic of the tokenizers' Rust is no `Exception`
        why = f"{type(error).__name__}: {error}".splitlines()[0][:200].rstrip(".")
        raise RequestError(
            f"the tokenizer of {tokenizer.name_or_path} fails ({why}): download it again."
        ) from None
