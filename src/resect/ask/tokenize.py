"""Items to token ids: the prompt, and every choice after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from resect.errors import RequestError
from resect.record import Item


@dataclass(frozen=True)
class Prompt:
    """One tokenized item: prompt ids, and the ids of every choice after the prompt.

    `cut`: the prompt was longer than the model reads. `merged`: before some choice the prompt's
    last tokens would be others, so that the choice's score is that of another split.
    """

    ids: list[int]
    choices: list[list[int]]
    cut: bool
    merged: bool


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    items: Sequence[Item],
    max_new_tokens: int,
    positions: int | None = None,
) -> list[Prompt]:
    """Prompts and choices to ids, prompts cut from the left where the model's positions end.

    Special tokens that a tokenizer puts before a text stay,
    also before a cut prompt; those that it puts after a text are left out. A chat template that
    writes the first ones itself does not have them twice. Raises `RequestError` for a choice that
    adds no token, where the model has no room for a prompt, for turns without a template, and for
    an empty prompt that nothing can stand for.
    """
    if not items:
        return []
    start = special_prefix(tokenizer)
    shown = [rendered(tokenizer, item) for item in items]
    parts = split(tokenizer, shown, [item.choices for item in items])
    found = []
    for item, (ids, choices, merged) in zip(items, parts, strict=True):
        if not all(choices):
            empty = item.choices[choices.index([])]
            raise RequestError(f"option {empty!r} adds no token to the prompt of {item.id}.")
        ids = ids if ids or start else _nothing(tokenizer, item)
        room = (positions or 1 << 30) - max([max_new_tokens, *map(len, choices)]) - len(start)
        if room < 1:
            raise RequestError(
                f"the model reads {positions} positions, too few for {item.id} and its answer."
            )
        ids = ids[len(start) :] if item.turns and ids[: len(start)] == start else ids
        found.append(Prompt(start + ids[-room:], choices, len(ids) > room, merged))
    return found


class Split(NamedTuple):
    """Ids of a text and of every continuation, without special tokens; `merged` as in `Prompt`."""

    ids: list[int]
    after: list[list[int]]
    merged: bool


def split(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], after: Sequence[Sequence[str]]
) -> Iterator[Split]:
    """Every text and its continuations to ids.

    The ids of the whole decide, as in lm-evaluation-harness: a continuation is what comes after as
    many ids as the text alone has. Alone it would be encoded as the beginning of a text.
    """
    begun = _encode(tokenizer, list(texts))
    pairs = zip(texts, after, strict=True)
    whole = iter(_encode(tokenizer, [text + more for text, ends in pairs for more in ends]))
    for ids, ends in zip(begun, after, strict=True):
        found = [next(whole) for _ in ends]
        merged = any(one[: len(ids)] != ids for one in found)
        yield Split(ids, [one[len(ids) :] for one in found], merged)


def rendered(tokenizer: PreTrainedTokenizerBase, item: Item) -> str:
    """The text that a model reads: the prompt, or its turns in the model's own chat template.

    A template that knows no system turn gets its text at the top of the first user turn. A last
    turn of the assistant's is the beginning of its answer.
    """
    if not item.turns:
        return item.prompt
    if not tokenizer.chat_template:
        raise RequestError(
            f"{tokenizer.name_or_path} has no chat template: leave out --apply_chat_template."
        )
    turns = [{"role": role, "content": text} for role, text in item.turns]
    try:
        return _in_template(tokenizer, turns)
    except TemplateError:
        if turns[0]["role"] != "system":
            raise
        first = {"role": "user", "content": f"{turns[0]['content']}\n\n{turns[1]['content']}"}
        return _in_template(tokenizer, [first, *turns[2:]])


def _in_template(tokenizer: PreTrainedTokenizerBase, turns: list[dict[str, str]]) -> str:
    begun = turns[-1]["role"] == "assistant"
    text = tokenizer.apply_chat_template(
        turns, tokenize=False, add_generation_prompt=not begun, continue_final_message=begun
    )
    return str(text)


def special_prefix(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Ids that the tokenizer puts before every text (a begin-of-text token, or none)."""
    (plain,) = _encode(tokenizer, ["a"])
    whole = tokenizer("a").input_ids
    places = range(len(whole) - len(plain) + 1)
    at = next((at for at in places if whole[at : at + len(plain)] == plain), 0)
    return list(whole[:at])


def _nothing(tokenizer: PreTrainedTokenizerBase, item: Item) -> list[int]:
    """What stands for an empty prompt: lm-evaluation-harness' prefix token, begin or end of text.

    Nothing could be predicted before a first token, and the text's own first would go unscored.
    """
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return [int(token)]
    raise RequestError(
        f"{item.id} has an empty prompt, and the tokenizer has no token for the begin or end of a "
        "text to start from: give it a prompt."
    )


def _encode(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    return list(tokenizer(texts, add_special_tokens=False).input_ids) if texts else []
