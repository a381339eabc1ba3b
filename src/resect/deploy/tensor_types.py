"""Which tensor gets which type: llama.cpp's own rules (`src/llama-quant.cpp`), by name and shape.

A file type is a mixture: values, some down projections, embeddings and output get more bits. Rows
that are no multiple of a type's block (256 for K types) fall back to a type with blocks of 32.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from gguf import GGML_QUANT_SIZES, MODEL_ARCH, LlamaFileType
from gguf import GGMLQuantizationType as Type

from resect.errors import RequestError, unknown

FILE_TYPES: dict[str, tuple[LlamaFileType, Type]] = {
    "F16": (LlamaFileType.MOSTLY_F16, Type.F16),
    "Q8_0": (LlamaFileType.MOSTLY_Q8_0, Type.Q8_0),
    "Q6_K": (LlamaFileType.MOSTLY_Q6_K, Type.Q6_K),
    "Q5_K_M": (LlamaFileType.MOSTLY_Q5_K_M, Type.Q5_K),
    "Q4_K_M": (LlamaFileType.MOSTLY_Q4_K_M, Type.Q4_K),
    "Q4_0": (LlamaFileType.MOSTLY_Q4_0, Type.Q4_0),
    "IQ4_XS": (LlamaFileType.MOSTLY_IQ4_XS, Type.IQ4_XS),
    "Q3_K_M": (LlamaFileType.MOSTLY_Q3_K_M, Type.Q3_K),
    "IQ3_XXS": (LlamaFileType.MOSTLY_IQ3_XXS, Type.IQ3_XXS),
    "Q2_K": (LlamaFileType.MOSTLY_Q2_K, Type.Q2_K),
    "IQ2_XS": (LlamaFileType.MOSTLY_IQ2_XS, Type.IQ2_XS),
}
"""Types of a whole file, from the largest to the smallest: its number, and the usual type in it."""

NEED_IMPORTANCE = ("IQ3_XXS", "IQ2_XS")
"""File types that llama.cpp does not make without an importance matrix."""

_FALLBACKS = {
    Type.IQ2_XS: Type.IQ4_NL,
    Type.IQ2_S: Type.IQ4_NL,
    Type.IQ3_XXS: Type.IQ4_NL,
    Type.IQ3_S: Type.IQ4_NL,
    Type.IQ4_XS: Type.IQ4_NL,
    Type.Q2_K: Type.Q4_0,
    Type.Q3_K: Type.Q4_0,
    Type.Q4_K: Type.Q5_0,
    Type.Q5_K: Type.Q5_1,
    Type.Q6_K: Type.Q8_0,
}


class Choice(NamedTuple):
    """The type of a tensor, and the one it would have if its rows were a multiple of a block."""

    type: Type
    wanted: Type

    @property
    def fell_back(self) -> bool:
        """Whether its rows did not fit."""
        return self.type != self.wanted


@dataclass(frozen=True)
class Shape:
    """What the rules ask of a model besides the names of its tensors."""

    blocks: int
    groups: int
    experts: int
    largest: bool
    weighed: bool

    @classmethod
    def of(cls, arch: MODEL_ARCH, fields: dict[str, int], weighed: bool) -> Shape:
        """From `blocks`, `heads`, `kv_heads` and `experts`; `weighed`: with importances."""
        heads, kv_heads = fields["heads"], fields["kv_heads"]
        groups = heads // kv_heads if kv_heads else 0
        named = arch in (MODEL_ARCH.LLAMA, MODEL_ARCH.QWEN2)
        largest = named and fields["blocks"] == 80 and heads != kv_heads
        return cls(fields["blocks"], groups, fields["experts"], largest, weighed)


def check(kind: str, weighed: bool) -> None:
    """Raise `RequestError` for a file type that is not known, or needs an importance matrix."""
    if kind not in FILE_TYPES:
        raise unknown("GGUF type", kind, FILE_TYPES)
    if kind in NEED_IMPORTANCE and not weighed:
        raise RequestError(
            f"{kind} needs an importance matrix: add imatrix=calibration, or imatrix=FILE."
        )


def stays_whole(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a tensor is stored in fp32 in every file: norms, biases, routers."""
    plain = len(shape) < 2 or not name.endswith("weight") or name.endswith("_norm.weight")
    return plain or "ffn_gate_inp.weight" in name


def choose(
    tensors: Iterable[tuple[str, tuple[int, ...]]], kind: str, shape: Shape
) -> dict[str, Choice]:
    """The type of every tensor (name, shape with rows last) in a file of a kind."""
    ordered = sorted(tensors, key=lambda tensor: (_block(tensor[0]), tensor[0]))
    tied = all(name != "output.weight" for name, _ in ordered)
    usual = FILE_TYPES[kind][1]
    mixture = _Mixture(kind, usual, shape, tied, sum(_is_value(name) for name, _ in ordered))
    chosen = {}
    for name, size in ordered:
        if stays_whole(name, size):
            chosen[name] = Choice(Type.F32, Type.F32)
        elif kind == "F16":
            chosen[name] = Choice(Type.F16, Type.F16)
        else:
            chosen[name] = _fitting(mixture.wanted(name, size[-1]), size[-1])
    return chosen


def _fitting(wanted: Type, row: int) -> Choice:
    """A type whose blocks a row is a multiple of."""
    for kind in (wanted, _FALLBACKS.get(wanted, Type.F16), Type.F16):
        if row % GGML_QUANT_SIZES[kind][0] == 0:
            return Choice(kind, wanted)
    raise AssertionError("a row of 16-bit floats always fits")


def _block(name: str) -> int:
    """The block that a tensor is in; what is in none comes first."""
    match = re.match(r"blk\.(\d+)\.", name)
    return int(match[1]) if match else -1


def _is_value(name: str) -> bool:
    return any(part in name for part in ("attn_v.weight", "attn_qkv.weight"))


class _Mixture:
    """Types by the place of a tensor; tensors are asked in order, as llama.cpp counts them."""

    def __init__(self, kind: str, usual: Type, shape: Shape, tied: bool, values: int) -> None:
        self.kind, self.usual, self.shape = kind, usual, shape
        self.tied, self.values = tied, values
        self.value, self.down = 0, 0
        self.grouped = shape.groups >= 4

    def wanted(self, name: str, row: int) -> Type:
        """The type that a tensor gets if its rows fit."""
        if name == "output.weight" or (self.tied and name == "token_embd.weight"):
            return self._output(row)
        if name == "token_embd.weight":
            return _EMBEDDINGS.get(self.kind, self.usual)
        for part, choose_it in self._parts():
            if part in name:
                return choose_it(name)
        return self.usual

    def _parts(self) -> tuple[tuple[str, Callable[[str], Type]], ...]:
        return (
            ("attn_qkv.weight", self._of_value),
            ("attn_v.weight", self._of_value),
            ("attn_k.weight", self._of_key),
            ("attn_q.weight", self._of_query),
            ("attn_output.weight", self._of_attention),
            ("ffn_down", self._of_down),
        )

    def _output(self, row: int) -> Type:
        if row % GGML_QUANT_SIZES[self.usual][0]:
            return Type.Q8_0
        if self.kind in NEED_IMPORTANCE:
            return Type.Q5_K
        return Type.Q8_0 if self.usual == Type.Q8_0 else Type.Q6_K

    def _of_value(self, name: str) -> Type:
        at, self.value = self.value, self.value + 1
        if self.kind == "IQ2_XS":
            return Type.Q4_K if self.grouped or self.shape.experts >= 4 else Type.Q2_K
        kind = self._common_value(at)
        if self.shape.largest and kind in (Type.Q3_K, Type.Q4_K):
            kind = Type.Q5_K
        return Type.Q8_0 if self.shape.experts == 8 else kind

    def _common_value(self, at: int) -> Type:
        """The type of the value projection `at` of a model of common size and without experts."""
        if self.grouped and self.kind in _GROUPED_VALUES:
            return _GROUPED_VALUES[self.kind]
        if self.kind == "Q3_K_M":
            return Type.Q5_K if at < 2 else Type.Q4_K
        if self.kind in _MORE_AT_ENDS:
            return Type.Q6_K if _gets_more(at, self.values) else self.usual
        if self.kind == "IQ3_XXS" and not self.shape.weighed:
            return Type.IQ3_S
        return Type.Q3_K if self.kind == "Q2_K" else self.usual

    def _of_key(self, name: str) -> Type:
        if self.shape.experts == 8:
            return Type.Q4_K if self.kind == "IQ2_XS" else Type.Q8_0
        return Type.IQ2_S if self.kind == "IQ3_XXS" else self.usual

    def _of_query(self, name: str) -> Type:
        return Type.IQ2_S if self.kind == "IQ3_XXS" else self.usual

    def _of_attention(self, name: str) -> Type:
        if self.shape.experts == 8:
            more = ("IQ2_XS", "Q2_K", "IQ3_XXS", "Q3_K_M", "Q4_K_M", "IQ4_XS")
            return Type.Q5_K if self.kind in more else self.usual
        own = {"Q2_K": Type.Q3_K, "IQ3_XXS": Type.IQ3_S, "Q3_K_M": Type.Q4_K}
        return own.get(self.kind, self.usual)

    def _of_down(self, name: str) -> Type:
        at, self.down = self.down, self.down + 1
        blocks = self.shape.blocks
        if self.kind == "IQ2_XS":
            return Type.Q2_K if at < blocks // 8 else self.usual
        at = _block(name) if self.shape.experts > 1 else at
        if self.kind in _MORE_AT_ENDS:
            return Type.Q6_K if _gets_more(at, blocks) else self.usual
        if self.kind == "Q3_K_M":
            return Type.Q5_K if at < blocks // 16 else Type.Q4_K
        key = (self.kind, self.shape.weighed)
        if at < blocks // 8 and key in _EARLY_DOWN:
            return _EARLY_DOWN[key]
        return Type.Q3_K if self.kind == "Q2_K" or key == ("IQ3_XXS", False) else self.usual


_EMBEDDINGS = {"IQ2_XS": Type.Q2_K, "IQ3_XXS": Type.IQ3_S}
"""Embeddings that are not the output too."""

_MORE_AT_ENDS = ("Q4_K_M", "Q5_K_M")
"""File types whose value and down projections get Q6_K at the ends and at every third place."""

_GROUPED_VALUES = {"Q2_K": Type.Q4_K, "IQ3_XXS": Type.Q4_K, "IQ4_XS": Type.Q5_K}
"""Value projections that four query heads or more share."""

_EARLY_DOWN = {
    ("IQ3_XXS", False): Type.Q4_K,
    ("IQ4_XS", False): Type.Q5_K,
    ("Q4_0", True): Type.Q4_1,
}
"""Down projections of the first eighth, by file type and whether there are importances."""


def _gets_more(at: int, of: int) -> bool:
    """The first and last eighth, and every third in between."""
    return at < of // 8 or at >= 7 * of // 8 or (at - of // 8) % 3 == 2


def shape_of(text: Any, arch: MODEL_ARCH, experts: int, weighed: bool) -> Shape:
    """What the rules ask of a transformers config."""
    heads = text.num_attention_heads
    kv_heads = getattr(text, "num_key_value_heads", None) or heads
    fields = {"blocks": text.num_hidden_layers, "heads": heads, "kv_heads": kv_heads}
    return Shape.of(arch, {**fields, "experts": experts}, weighed)
