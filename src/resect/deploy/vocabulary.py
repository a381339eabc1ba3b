"""A tokenizer's tokens, types, merges and scores, as llama.cpp reads them.

llama.cpp splits a text before it merges by a rule that has a name (`tokenizer.ggml.pre`). It is
read off the tokenizer's own rule; where that is not known `gpt-2` is assumed and said. Whether ids
are the same is then checked on the prompts that are asked (`server.retokenized`).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gguf
from transformers import PretrainedConfig, PreTrainedTokenizerBase

from resect.errors import RequestError
from resect.models.scratch import Scratch

_ASSUMED = "gpt-2"
_BEYOND = -10_000.0
"""The score of a token that no merge makes."""


class Vocabulary(NamedTuple):
    """`kind` is llama.cpp's tokenizer: `gpt2` (bytes, merges) or `llama` (pieces, scores)."""

    kind: str
    pre: str
    tokens: list[str]
    types: list[int]
    scores: list[float] | None
    prefix_space: bool | None
    known: bool

    def notes(self) -> list[str]:
        """What was assumed, as a sentence."""
        if self.known:
            return []
        return [f"llama.cpp does not know how this tokenizer splits a text: {self.pre} was assumed"]


def read(tokenizer: PreTrainedTokenizerBase, size: int) -> Vocabulary:
    """The vocabulary of a tokenizer, filled up to the `size` of the embeddings.

    Raises `RequestError` for a tokenizer that llama.cpp cannot stand for.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise RequestError("this model's tokenizer has no tokenizer.json: save it as a fast one.")
    fields: dict[str, Any] = json.loads(backend.to_str())
    model = fields["model"]
    if model["type"] != "BPE":
        raise RequestError(
            f"this tokenizer is of the kind {model['type']}, which resect does not write as GGUF: "
            "only BPE is known."
        )
    names = {number: token for token, number in tokenizer.get_vocab().items()}
    added = {token["id"]: token for token in fields["added_tokens"]}
    beyond = [number for number in names if number >= size and number not in added]
    if beyond:
        raise RequestError(
            f"the tokenizer has the token {max(beyond)}, and the model embeds only {size}: resize "
            "the embeddings first."
        )
    tokens = [names.get(number, f"[PAD{number}]") for number in range(size)]
    pieces = _is_pieces(fields)
    types = [_type(number, names, added, model, pieces) for number in range(size)]
    if pieces:
        scores = _scores(tokens, model["merges"])
        return Vocabulary("llama", "default", tokens, types, scores, _prefixes(fields), True)
    pre = _pre(fields)
    return Vocabulary("gpt2", pre or _ASSUMED, tokens, types, None, None, pre is not None)


def write(
    writer: gguf.GGUFWriter,
    vocabulary: Vocabulary,
    tokenizer: PreTrainedTokenizerBase,
    config: PretrainedConfig,
) -> None:
    """Put a vocabulary, the special tokens and the chat template into a file's metadata."""
    writer.add_tokenizer_model(vocabulary.kind)
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    if vocabulary.scores is not None:
        writer.add_token_scores(vocabulary.scores)
    if vocabulary.prefix_space is not None:
        writer.add_add_space_prefix(vocabulary.prefix_space)
    with Scratch("tokenizer") as folder:
        tokenizer.save_pretrained(folder)
        config.save_pretrained(folder)
        special = _special(folder, vocabulary)
    special.add_special_token["bos"] = _begins(tokenizer)
    special.add_special_token["eos"] = False
    if special.load_merges and not special.merges:  # llama.cpp asks for one: two that never meet
        special.merges = [" ".join(vocabulary.tokens[:2])]
    special.add_to_gguf(writer, quiet=True)


def _special(folder: Path, vocabulary: Vocabulary) -> gguf.SpecialVocab:
    logging.getLogger("gguf.vocab").setLevel(logging.ERROR)
    merges = vocabulary.kind == "gpt2"
    return gguf.SpecialVocab(folder, load_merges=merges, n_vocab=len(vocabulary.tokens))


def _begins(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the tokenizer puts its begin-of-text token before a text."""
    begin = tokenizer.bos_token_id
    return begin is not None and list(tokenizer("a").input_ids)[:1] == [begin]


def _is_pieces(fields: Mapping[str, Any]) -> bool:
    """Whether tokens are pieces with `▁` for a blank, and bytes only where no piece is."""
    return bool(fields["model"].get("byte_fallback"))


def _prefixes(fields: Mapping[str, Any]) -> bool:
    """Whether a blank is put before a text."""
    for part in (*_flat(fields["normalizer"]), *_flat(fields["pre_tokenizer"])):
        if part["type"] == "Prepend":
            return True
        if part["type"] == "Metaspace":
            return bool(part.get("prepend_scheme", "always") != "never")
    return False


def _type(
    number: int,
    names: Mapping[int, str],
    added: Mapping[int, Mapping[str, Any]],
    model: Mapping[str, Any],
    pieces: bool,
) -> int:
    kinds = gguf.TokenType
    token = names.get(number)
    if token is None:
        return int(kinds.UNUSED)
    if pieces and token == model.get("unk_token"):
        return int(kinds.UNKNOWN)
    if number in added:
        special = added[number]["special"] or (token.startswith("<|") and token.endswith("|>"))
        return int(kinds.CONTROL if special else kinds.USER_DEFINED)
    is_byte = pieces and len(token) == 6 and token.startswith("<0x") and token.endswith(">")
    return int(kinds.BYTE if is_byte else kinds.NORMAL)


def _scores(tokens: list[str], merges: list[Any]) -> list[float]:
    """Scores by which llama.cpp merges in the order of the merges: the first that makes a token."""
    rank: dict[str, int] = {}
    for pair in merges:
        left, right = pair.split(" ") if isinstance(pair, str) else pair
        rank.setdefault(left + right, len(rank))
    return [-float(rank[token]) if token in rank else _BEYOND for token in tokens]


# ── how a text is split ─────────────────────────────────────────────────────────────────────────


def _flat(part: Any) -> Iterator[Mapping[str, Any]]:
    """A normalizer or pre-tokenizer, and what is in it, in order."""
    if part is None:
        return
    if part["type"] != "Sequence":
        yield part
        return
    for key in ("pretokenizers", "normalizers"):
        for inner in part.get(key, ()):
            yield from _flat(inner)


def _pre(fields: Mapping[str, Any]) -> str | None:
    """llama.cpp's name of how a tokenizer splits a text; None where it has none."""
    rule = tuple(_rule(part) for part in _flat(fields["pre_tokenizer"]))
    return next((name for name, is_it in _RULES.items() if is_it(rule)), None)


def _rule(part: Mapping[str, Any]) -> str:
    """One part of a rule, in a word or by its pattern."""
    if part["type"] == "Split":
        return str(part["pattern"].get("Regex", part["pattern"].get("String")))
    if part["type"] == "ByteLevel":
        return "bytes, split" if part.get("use_regex", True) else "bytes"
    if part["type"] == "Digits":
        return "digits one by one" if part["individual_digits"] else "digits together"
    return str(part["type"])


_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)
_QWEN2 = _LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
_GPT4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
    r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|"
    r"\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def _exactly(*rule: str) -> Callable[[tuple[str, ...]], bool]:
    return lambda given: given == rule


_RULES: dict[str, Callable[[tuple[str, ...]], bool]] = {
    "gpt-2": _exactly("bytes, split"),
    "smollm": _exactly("digits one by one", "bytes, split"),
    "llama-bpe": _exactly(_LLAMA3, "bytes"),
    "qwen2": _exactly(_QWEN2, "bytes"),
    "gpt-4o": _exactly(_GPT4O, "bytes"),
    "tekken": _exactly(_TEKKEN, "bytes"),
}
