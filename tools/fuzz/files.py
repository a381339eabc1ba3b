"""Damaged files that are read without a model: weights, indices, configs, cards, GGUF, rows, gates.

Every trial writes one file of a small folder anew, damaged in one place, and reads it as a command
does before it loads anything.
"""

from __future__ import annotations

import functools
import json
import random
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tools.fuzz.model_folders import HOSTILE
from tools.fuzz.spec import bomb
from tools.fuzz.trial import Trial, changed, tried

SHARD, INDEX = "model-00001-of-00001.safetensors", "model.safetensors.index.json"
_LENGTHS = (0, 1, 7, 2**16, 2**31, 2**32, 2**53, 2**63, 2**64 - 1)


def weights() -> bytes:
    """Two tensors as safetensors."""
    table = {
        "__metadata__": {"format": "pt"},
        "a.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b.weight": {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]},
    }
    return _framed(table, bytes(range(32)))


def _framed(table: Any, data: bytes) -> bytes:
    head = json.dumps(table).encode()
    return struct.pack("<Q", len(head)) + head + data


def _config() -> dict[str, Any]:
    return {
        "model_type": "llama", "num_hidden_layers": 2, "hidden_size": 16, "vocab_size": 64,
        "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 32,
        "max_position_embeddings": 64, "rope_scaling": {"type": "linear", "factor": 2.0},
        "architectures": ["LlamaForCausalLM"], "torch_dtype": "float32", "eos_token_id": [1, 2],
    }  # fmt: skip


def _tokenizer() -> dict[str, Any]:
    replace = {"type": "Replace", "pattern": {"String": "a"}, "content": "b"}
    return {
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, replace]},
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": r"\p{L}+|\d{1,3}"},
                          "behavior": "Isolated", "invert": False},
        "decoder": {"type": "ByteLevel"}, "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []},
    }  # fmt: skip


CARD = """---
license: mit
base_model: [org/name, other/name]
tags: {a: [b, c]}
---
# A model
"""

POLICY = "margin: 0.05\nalpha: 0.025\ntasks: [a, b]\nitems: 100\nshare: 0.5\nfallbacks: false\n"


@functools.cache
def gguf_file() -> bytes:
    """A small model as llama.cpp's file."""
    import gguf
    import numpy as np

    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "m.gguf")
        writer = gguf.GGUFWriter(path, "llama")
        writer.add_block_count(1)
        writer.add_context_length(64)
        writer.add_embedding_length(32)
        writer.add_head_count(2)
        writer.add_head_count_kv(1)
        writer.add_file_type(7)
        writer.add_token_list(["<s>", "</s>", "a", "b"])
        writer.add_token_scores([0.0, 0.5, 1.0, 2.0])
        writer.add_string("resect.recipe", "magnitude:0.5")
        for name in ("token_embd.weight", "blk.0.attn_q.weight", "blk.0.ffn_down.weight"):
            writer.add_tensor(name, np.ones((4, 32), np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()


def _importances() -> bytes:
    import gguf
    import numpy as np

    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "i.gguf")
        writer = gguf.GGUFWriter(path, "")
        writer.add_type("imatrix")
        writer.add_array("imatrix.datasets", ["a text"])
        writer.add_uint32("imatrix.chunk_count", 2)
        writer.add_uint32("imatrix.chunk_size", 16)
        writer.add_tensor("blk.0.attn_q.weight.in_sum2", np.ones((1, 32), np.float32))
        writer.add_tensor("blk.0.attn_q.weight.counts", np.ones((1, 1), np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path.read_bytes()


def _questions() -> bytes:
    rows = [
        {"question": f"Is it {n}?", "options": {"A": "yes", "B": "no"}, "answer": "A",
         "context": "c", "id": n, "tags": {"subject": "s"}, "text": "a text", "reasoning": "r"}
        for n in range(3)
    ]  # fmt: skip
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


@functools.cache
def _summary() -> bytes:
    """The summary of a small audit."""
    from resect.recorded import fill
    from tools.fuzz import surfaces

    fill.RESAMPLES = 100
    with tempfile.TemporaryDirectory() as place:
        return (surfaces.made({}, Path(place)) / "summary.json").read_bytes()


# ── what is read, and how ───────────────────────────────────────────────────────────────────────


def _read_weights(folder: Path) -> None:
    from resect.models import checkpoint_files, folder_files

    source = checkpoint_files.read(folder)
    for entry in source.entries.values():
        entry.look()
    for path in {folder / entry.shard for entry in source.entries.values()}:
        assert folder_files.tensors("m", path)


def _check_config(folder: Path) -> None:
    from resect.models import folder_limits, model_files

    folder_limits.check(folder)
    folder_limits.layers(folder)
    model_files.fingerprint(folder)


def _read_card(folder: Path) -> None:
    from resect.models import model_card

    model_card.base_model(model_card.card_of(str(folder)))


def _inspect(folder: Path) -> None:
    from resect.models import gguf_models
    from resect.running import inspection
    from resect.spec import ModelRef

    gguf_models.check(folder / "m.gguf")
    inspection.inspect(ModelRef.of(role="m", id=str(folder / "m.gguf")))


def _read_importances(folder: Path) -> None:
    from resect.deploy import imatrix

    imatrix.read(folder / "i.gguf")


def _own_task(folder: Path) -> None:
    from resect.tasks.own import Own

    task = Own(str(folder / "q.jsonl"))
    assert [task.prompt(question) for question in task.rows]
    assert task.info


def _rows(folder: Path) -> None:
    from resect.recover.training_data import Source

    assert Source(str(folder / "q.jsonl")).examples()


def _policy(folder: Path) -> None:
    from resect.running import check

    check.policy_from(folder / "policy.yaml")


def _gate(folder: Path) -> None:
    from resect.findings.policy import Policy
    from resect.running import check

    assert check.shown(check.checked(folder, Policy()))


KINDS: dict[str, tuple[str, Callable[[], bytes], Callable[[Path], None]]] = {
    "safetensors": (SHARD, weights, _read_weights),
    "index": (INDEX, lambda: json.dumps(
        {"metadata": {"total_size": 32}, "weight_map": {"a.weight": SHARD, "b.weight": SHARD}}
    ).encode(), _read_weights),
    "config": ("config.json", lambda: json.dumps(_config()).encode(), _check_config),
    "tokenizer": ("tokenizer.json", lambda: json.dumps(_tokenizer()).encode(), _check_config),
    "card": ("README.md", CARD.encode, _read_card),
    "gguf": ("m.gguf", gguf_file, _inspect),
    "importances": ("i.gguf", _importances, _read_importances),
    "questions": ("q.jsonl", _questions, _own_task),
    "training rows": ("q.jsonl", _questions, _rows),
    "summary": ("summary.json", _summary, _gate),
    "policy": ("policy.yaml", POLICY.encode, _policy),
}  # fmt: skip
"""Each kind of file: its name, its sound bytes, and what reads it."""


def damaged(data: bytes, kind: str, dice: random.Random) -> bytes:
    """The file with one value of its JSON, or some of its bytes, changed."""
    if kind == "safetensors" and dice.random() < 0.6:
        size = struct.unpack("<Q", data[:8])[0]
        return _framed(changed(json.loads(data[8 : 8 + size]), HOSTILE, dice), data[8 + size :])
    if kind in ("index", "config", "tokenizer", "summary") and dice.random() < 0.8:
        return json.dumps(changed(json.loads(data), HOSTILE, dice)).encode()
    if kind in ("questions", "training rows") and dice.random() < 0.8:
        lines = data.splitlines()
        place = dice.randrange(len(lines))
        lines[place] = json.dumps(changed(json.loads(lines[place]), HOSTILE, dice)).encode()
        return b"\n".join(lines)
    for _ in range(dice.randint(1, 3)):
        data = _other_bytes(data, dice)
    return data


def _other_bytes(data: bytes, dice: random.Random) -> bytes:
    """Some bytes replaced, a number written over them, a value put in, or the end left out."""
    place, change = dice.randrange(len(data) + 1), dice.randrange(5)
    if change == 0:
        return data[:place]
    if change == 1:
        number = dice.choice(_LENGTHS)
        number = struct.pack("<Q", number) if dice.random() < 0.5 else struct.pack("<Q", number)[:4]
        return data[:place] + number + data[place + len(number) :]
    if change == 2:
        new = str(dice.choice(HOSTILE)) if not isinstance(x := dice.choice(HOSTILE), int) else str(
            min(x, 10**30))  # fmt: skip
        return data[:place] + new.encode("utf-8", "surrogatepass") + data[place:]
    if change == 3:
        return data[:place] + data[place + dice.randint(1, 40) :]
    return data[:place] + bytes([dice.randrange(256)]) + data[place + 1 :]


def put(folder: Path, kind: str = "", data: bytes = b"") -> Path:
    """The sound folder, in which one file is another."""
    for name, (file, sound, _) in KINDS.items():
        (folder / file).write_bytes(data if name == kind else sound())
    if kind:
        (folder / KINDS[kind][0]).write_bytes(data)
    return folder


def read(kind: str, data: bytes) -> None:
    """Read one file of the folder."""
    with tempfile.TemporaryDirectory() as place:
        KINDS[kind][2](put(Path(place), kind, data))


def trials(count: int, seed: int) -> Iterator[Trial]:
    """Every kind of file in turn."""
    dice = random.Random(seed)
    sound = {kind: make() for kind, (_, make, _) in KINDS.items()}
    with tempfile.TemporaryDirectory() as place:
        folder = put(Path(place))
        for _, _, act in KINDS.values():
            act(folder)  # imports are no part of a trial
        for number in range(count):
            kind = list(KINDS)[number % len(KINDS)]
            name, _, act = KINDS[kind]
            (folder / name).write_bytes(damaged(sound[kind], kind, dice))
            yield tried(kind, lambda act=act: act(folder))
            (folder / name).write_bytes(sound[kind])


def _counted(tensors: int, values: int, body: bytes = b"") -> bytes:
    """The beginning of a GGUF file."""
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, values) + body


def _array(kind: int, length: int) -> bytes:
    """A value of a GGUF header that says it is an array."""
    return struct.pack("<Q", 1) + b"a" + struct.pack("<IIQ", 9, kind, length)


GOLDEN: dict[str, tuple[str, Callable[[], bytes]]] = {
    "an array of 10^15 bytes": ("gguf", lambda: _counted(0, 1, _array(0, 10**15))),
    "an array of 10^15 texts": ("gguf", lambda: _counted(0, 1, _array(8, 10**15))),
    "10^18 values": ("gguf", lambda: _counted(0, 10**18)),
    "10^18 tensors": ("gguf", lambda: _counted(10**18, 0)),
    "arrays of arrays": (
        "gguf", lambda: _counted(0, 1, _array(9, 1) + struct.pack("<IQ", 9, 1) * 5000)
    ),
    "8 million values": ("gguf", lambda: _counted(0, 1, _array(0, 8 << 20) + bytes(8 << 20))),
    "a name of 2^63 bytes": ("gguf", lambda: _counted(0, 1, struct.pack("<Q", 2**63) + b"a")),
    "no architecture": ("gguf", lambda: gguf_file().replace(b"general.arch", b"general.xrch")),
    "10^9 blocks": ("gguf", lambda: gguf_file().replace(
        b"block_count" + struct.pack("<II", 4, 1), b"block_count" + struct.pack("<II", 4, 10**9)
    )),
    "an empty tensor": ("gguf", lambda: gguf_file().replace(
        struct.pack("<QQ", 32, 4), struct.pack("<QQ", 0, 4), 1
    )),
    "no GGUF": ("gguf", lambda: b"GGML" + bytes(64)),
    "a header of 2^60 bytes": ("safetensors", lambda: struct.pack("<Q", 2**60) + b"{}"),
    "a shape of 2^62": ("safetensors", lambda: _framed(
        {"a": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 8]}}, bytes(8)
    )),
    "offsets beyond the end": ("safetensors", lambda: _framed(
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, b""
    )),
    "a type that is none": ("safetensors", lambda: _framed(
        {"a": {"dtype": "X9", "shape": [2], "data_offsets": [0, 8]}}, bytes(8)
    )),
    "a header that nests": ("safetensors", lambda: struct.pack("<Q", 200_000) + b"[" * 200_000),
    "NaN layers": ("config", lambda: json.dumps(
        {**_config(), "num_hidden_layers": float("nan")}
    ).encode()),
    "an importance matrix cut short": ("importances", lambda: _importances()[:200]),
    "importances in 10^15 bytes": ("importances", lambda: _counted(0, 1, _array(0, 10**15))),
    "importances of 2^40 bytes": ("importances", lambda: struct.pack("<ii", 1, 2**31 - 1)),
    "a question that nests": ("questions", lambda: b'{"question": ' + b"[" * 200_000),
    "an id that nests": ("questions", lambda: b'{"id": ' + b"[" * 200_000),
    "a training row that nests": ("training rows", lambda: b"[" * 200_000),
    "a summary that nests": ("summary", lambda: b'{"a":' * 100_000),
    "a summary of a list": ("summary", lambda: b"[]"),
    "a policy of aliases": ("policy", lambda: bomb().encode()),
}  # fmt: skip
"""Files that failed earlier versions, and edges of the limits: each is one sentence."""


def golden(name: str) -> Trial:
    """The trial of one golden case."""
    kind, make = GOLDEN[name]
    data = make()
    return tried(name, lambda: read(kind, data))
