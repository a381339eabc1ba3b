"""Damaged model folders: config, index, tokenizer, chat template, weights; checked and tokenized.

The sample is the embedded specialist, its weights in two shards with an index. A trial identifies
the folder and tokenizes prompts in its own chat template, as `resect run` does before it writes.
"""

from __future__ import annotations

import functools
import json
import random
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tools.fuzz.trial import Trial, changed, tried

Files = dict[str, bytes]

TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)

HOSTILE: tuple[Any, ...] = (
    None, True, 0, -1, 1, 3, 0.5, 1e7, 10**7, 10**12, 10**30, 10**400, float("nan"), "", "x",
    "\ud800", "\x00\u202e", "x" * 5000, "../../x", "/etc/passwd", "model.safetensors", [], {},
    [[]], [None], {"": None}, {"a": {"b": []}}, ["a", "a"], [0] * 300, {"type": "Replace"},
    {"type": "x"}, {"rope_type": "yarn", "factor": 1e300}, {"quant_method": "bitsandbytes"},
    {"quant_method": "x"}, "gpt2", "llama", "mixtral", "deepseek_v3", "opt", "bfloat16", "int8",
    "{{", "{% for i in range(99999) %}", "{{ raise_exception('x') }}", "{{ 'x' * 10 ** 9 }}",
)  # fmt: skip


@functools.cache
def sample() -> Files:
    """The files of a sound folder."""
    from resect import clinic

    files = {path.name: path.read_bytes() for path in clinic.path("specialist").iterdir()}
    weights = files.pop("model.safetensors")
    size = struct.unpack("<Q", weights[:8])[0]
    header, data = json.loads(weights[8 : 8 + size]), weights[8 + size :]
    names = [name for name in header if name != "__metadata__"]
    table = {}
    for number, part in enumerate((names[:7], names[7:]), start=1):
        shard = f"model-0000{number}-of-00002.safetensors"
        files[shard] = _safetensors({n: header[n] for n in part}, data)
        table.update(dict.fromkeys(part, shard))
    files["model.safetensors.index.json"] = json.dumps(
        {"metadata": {"total_size": len(data)}, "weight_map": table}
    ).encode()
    settings = json.loads(files["tokenizer_config.json"])
    files["tokenizer_config.json"] = json.dumps({**settings, "chat_template": TEMPLATE}).encode()
    return files


def _safetensors(header: dict[str, Any], data: bytes) -> bytes:
    parts, place, table = [], 0, {"__metadata__": {"format": "pt"}}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        table[name] = {**entry, "data_offsets": [place, place + end - start]}
        parts.append(data[start:end])
        place += end - start
    head = json.dumps(table).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + b"".join(parts)


def with_json(name: str, **fields: Any) -> Files:
    """A folder with other fields in one of its JSON files."""
    files = dict(sample())
    files[name] = json.dumps({**json.loads(files[name]), **fields}).encode()
    return files


def with_files(**files: bytes | None) -> Files:
    """A folder with other files; `_` stands for a dot in a name, None removes a file."""
    whole = {**sample(), **{name.replace("__", "."): data for name, data in files.items()}}
    return {name: data for name, data in whole.items() if data is not None}


def template(text: Any) -> Files:
    """A folder with another chat template."""
    return with_json("tokenizer_config.json", chat_template=text)


def normalizer(**step: Any) -> Files:
    """A folder whose tokenizer applies one step twenty times."""
    return with_json("tokenizer.json", normalizer={"type": "Sequence", "normalizers": [step] * 20})


def splitting(regex: str) -> Files:
    """A folder whose tokenizer splits texts by a pattern."""
    step = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
    return with_json("tokenizer.json", pre_tokenizer=step)


INDEX = "model.safetensors.index.json"
LOOP = "{% for i in range(99999) %}" * 3 + "x" + "{% endfor %}" * 3

GOLDEN: dict[str, Callable[[], Files]] = {
    "10^7 layers": lambda: with_json("config.json", num_hidden_layers=10**7),
    "1e7 layers": lambda: with_json("config.json", num_hidden_layers=1e7),
    "10^9 experts": lambda: with_json(
        "config.json", model_type="mixtral", architectures=["MixtralForCausalLM"],
        num_local_experts=10**9,
    ),
    "10^9 labels": lambda: with_json("config.json", num_labels=10**9),
    "a number of 400 digits": lambda: with_json("config.json", vocab_size=10**400),
    "a hidden size of 10^12": lambda: with_json("config.json", hidden_size=10**12),
    "no layers": lambda: with_json("config.json", num_hidden_layers=-1),
    "a config that nests": lambda: with_files(config__json=b'{"a":' * 100_000),
    "a config of a list": lambda: with_files(config__json=b"[1]"),
    "a config of 20 MB": lambda: with_files(config__json=b'{"a": "' + b"x" * (20 << 20) + b'"}'),
    "a normalizer that grows": lambda: normalizer(
        type="Replace", pattern={"String": "a"}, content="a" * 10
    ),
    "a normalizer that grows by a pattern": lambda: normalizer(
        type="Replace", pattern={"Regex": "."}, content="aaaa"
    ),
    "a pattern that takes for ever": lambda: splitting(r"(a+)+$"),
    "a pattern that is none": lambda: splitting(r"(a"),
    "a tokenizer of nothing": lambda: with_files(tokenizer__json=b"{}"),
    "a tokenizer that nests": lambda: with_files(tokenizer__json=b"[" * 100_000),
    "a template that loops": lambda: template(LOOP),
    "a template that fills memory": lambda: template("{{ 'x' * 10 ** 10 }}"),
    "a template that doubles": lambda: template(
        "{% set n = namespace(x='xx') %}{% for i in range(60) %}"
        "{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}"
    ),
    "a template that raises": lambda: template("{{ raise_exception('no') }}"),
    "a template that divides by zero": lambda: template("{{ 1 // 0 }}"),
    "a template that is cut short": lambda: template("{% for m in messages %}"),
    "a template that nests": lambda: template("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}"),
    "a template that leaves the sandbox": lambda: template(
        "{{ messages.__class__.__mro__[1].__subclasses__() }}"
    ),
    "a template that is a number": lambda: template(5),
    "a template of 2 MB": lambda: with_files(chat_template__jinja=b"x" * (2 << 20)),
    "an index of a list": lambda: with_files(**{INDEX.replace(".", "__"): b"[1]"}),
    "an index of numbers": lambda: with_json(INDEX, weight_map={"a": 1}),
    "an index that leaves the folder": lambda: with_json(
        INDEX, weight_map={"a": "../x.safetensors"}
    ),
    "an index of a file that is not there": lambda: with_json(
        INDEX, weight_map={"a": "x.safetensors"}
    ),
    "an index that nests": lambda: with_files(**{INDEX.replace(".", "__"): b'{"a":' * 100_000}),
    "no index": lambda: with_files(**{INDEX.replace(".", "__"): None}),
}  # fmt: skip
"""Folders that failed earlier versions, and edges of the limits: each is one sentence."""


def put(folder: Path, files: Files) -> Path:
    """Write the files of a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def identify(files: Files) -> None:
    """Check a folder, and tokenize items in its chat template."""
    from resect.ask.tokenize import tokenize
    from resect.models import loading
    from resect.record import Item
    from resect.spec import ModelRef

    turns = (("system", "Be brief."), ("user", "Is aspirin an analgesic?"))
    items = [
        Item("a", "Question: aaaaaaaaaaaaaaaaaaaaaa?\nAnswer:", "yes", ("yes",), choices=(" yes",)),
        Item("b", "Is it?", "yes", ("yes",), choices=(" yes",), turns=turns),
    ]
    with tempfile.TemporaryDirectory() as place:
        folder = put(Path(place, "m"), files)
        identity, loaded = loading.identify(ModelRef.of(role="m", id=str(folder)))
        tokenize(loaded.tokenizer, items, 5, loading.positions(loaded.model))
    assert identity.fingerprint


def damaged(dice: random.Random) -> tuple[str, Files]:
    """The sample with one thing changed, and what kind of change that was."""
    files = dict(sample())
    texts = [name for name in files if name.endswith(".json")]
    kind = dice.choice(("value", "value", "value", "bytes", "cut", "name"))
    name = dice.choice(texts if kind == "value" else sorted(files))
    if kind == "value":
        files[name] = json.dumps(changed(json.loads(files[name]), HOSTILE, dice)).encode()
    elif kind == "cut":
        files[name] = files[name][: dice.randrange(len(files[name]) + 1)]
    elif kind == "bytes":
        head = min(len(files[name]), dice.choice((64, 4000, len(files[name]))))
        place = dice.randrange(head)
        new = bytes(dice.choices(range(256), k=dice.randrange(4)))
        files[name] = files[name][:place] + new + files[name][place + dice.randrange(4) :]
    else:
        data = files.pop(name)
        files[dice.choice(("x", "x.bin", "pytorch_model.bin", "model.safetensors", name))] = data
    return f"{kind} of {name.rpartition('.')[2]}", files


def trials(count: int, seed: int) -> Iterator[Trial]:
    """Change the sample folder, one place at a time."""
    identify(sample())  # imports are no part of a trial
    dice = random.Random(seed)
    for _ in range(count):
        kind, files = damaged(dice)
        yield tried(kind, lambda files=files: identify(files))


def golden(name: str) -> Trial:
    """The trial of one golden case."""
    files = GOLDEN[name]()
    return tried(name, lambda: identify(files))
