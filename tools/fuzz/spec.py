"""Damaged study files, steps, levels and options, and what reading them comes to. No model.

What is read must read back as the same study from its own YAML.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from resect.errors import RequestError
from resect.spec import Calibration, Recipe, Step, Study, level, levels
from tools.fuzz.trial import Trial, changed, tried

STUDY: dict[str, Any] = {
    "name": "x",
    "models": {"specialist": "clinic:specialist", "base": {"id": "clinic:base", "dtype": "auto"}},
    "recipes": ["magnitude", {"steps": ["wanda", "lora,rank=8"], "levels": "0:0.5:0.25",
                              "seeds": 2, "roles": ["base"]}],
    "levels": "0,0.5", "tasks": ["clinic-context"], "limit": 3, "variants": ["permuted"],
    "calibration": {"data": "clinic", "nsamples": 4, "seqlen": 16}, "measure": "sizes",
    "margin": 0.05, "smoke": {"limit": 1, "levels": [0, 0.5]}, "shown_only": [], "notes": "n",
}  # fmt: skip

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 0.5, 1e308, -0.0, float("nan"), float("inf"), 10**400, 10**5000,
    2**31, 2**63, 1e8, 10**8, "", " ", "\x00", "x", "1e400", "0:1:1e-9", "1e400:1e401:1", "nan",
    "inf", "-0", "0.1,0.1", "0:0:0", "::", ",", "magnitude:", "magnitude:1e400", ":", "a=b",
    "magnitude,=", "magnitude,a=1,a=2", "magnitude + ", "none + none", "x" * 5000, "9" * 5000,
    "~nouser", "~nouser/x", "../../etc/passwd", "/dev/zero", "\u202e\x1b[31m", "\ud800",
    "http://", "clinic:", "clinic:x", "task:", "lm-eval:", "own:", [], {}, [[]], [None], [{}],
    {"": None}, {"a": {"b": []}}, {None: 1}, {1: 2}, {(1, 2): 3}, ["a", "a"], [0, "0"], [1e400],
    {"id": None}, {"id": "", "dtype": "x"}, {"steps": None}, {"steps": [None]}, {"levels": {}},
    list(range(2000)), [f"magnitude,k={n}" for n in range(500)], {f"k{n}": n for n in range(300)},
)  # fmt: skip

PIECES = (
    b"&a", b"*a", b"<<: ", b"- ", b": ", b"? ", b"!!python/object:os.system ", b"!!binary ",
    b"!!int ", b"!!float ''", b"!!bool x", b"!!timestamp x", b"!!set ", b"!!omap ", b"!x ", b"{",
    b"}", b"[", b"]", b"'", b'"', b"|\n", b">\n", b"%YAML 9.9\n---\n", b"---\n", b"...\n", b"\t",
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"2020-13-45", b"1:" * 400 + b"1", b".inf", b".nan",
    b"0x" + b"f" * 5000, b"0o777", b"~", b"=", b"\xe2\x80\xa8", b"#", b"@", b"`",
)  # fmt: skip


def bomb(depth: int = 9) -> str:
    """A list of lists of lists by aliases: ten to the power of `depth` values."""
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    for number in range(1, depth):
        lines.append(f"a{number}: &a{number} [{','.join([f'*a{number - 1}'] * 10)}]")
    return "\n".join([*lines, f"tasks: *a{depth - 1}"])


def merged(depth: int = 9) -> str:
    """Mappings merged into mappings by aliases."""
    lines = ["a0: &a0 {x: 1}"]
    for number in range(1, depth):
        lines.append(f"a{number}: &a{number} {{<<: [{','.join([f'*a{number - 1}'] * 10)}]}}")
    return "\n".join(lines)


def whole(**fields: Any) -> str:
    """A study file with other fields."""
    return yaml.safe_dump({**STUDY, **fields}, allow_unicode=True)


GOLDEN: dict[str, str] = {
    "aliases of aliases": bomb(),
    "merges of merges": merged(),
    "an alias in itself": "a: &a [*a]\n",
    "nested brackets": "a: " + "[" * 5000,
    "nested lists": "- " * 5000,
    "an integer of 5,000 digits": "limit: " + "9" * 5000,
    "a hexadecimal of 5,000 digits": "limit: 0x" + "f" * 5000,
    "a base-60 number": "limit: " + "1:" * 5000 + "1",
    "a date that is none": "name: 2020-13-45",
    "a boolean that is none": "name: !!bool x",
    "an empty float": "name: !!float ''",
    "a timestamp that is none": "name: !!timestamp x",
    "an object": "name: !!python/object/apply:os.system ['true']",
    "2 MB": "notes: " + "x" * 2_000_000,
    "10^8 seeds": whole(recipes=[{"steps": "magnitude", "seeds": 10**8}]),
    "2,000 seeds": whole(recipes=[{"steps": "magnitude", "seeds": list(range(2000))}]),
    "a level of 1e400": whole(levels="1e400"),
    "levels to 1e400": whole(levels="0:1e400:1e399"),
    "levels in steps of 1e-9": whole(levels="0:1:1e-9"),
    "a million levels": whole(levels=",".join(map(str, range(100_000)))),
    "a step of level 1e400": whole(recipes=["magnitude:1e400"]),
    "calibration of terabytes": whole(calibration={"data": "clinic", "nsamples": 10**9}),
    "a sequence of 10^12 tokens": whole(calibration={"data": "clinic", "seqlen": 10**12}),
    "10^30 questions": whole(limit=10**30),
    "10^30 tokens": whole(max_new_tokens=10**30),
    "a field named by a list": "? [a, b]\n: 1\n",
    "models is a list": whole(models=["x"]),
    "a recipe is a number": whole(recipes=[5]),
}
"""Inputs that failed earlier versions, and edges of the limits: each is one sentence."""


def read(text: str | bytes, smoke: bool = False) -> None:
    """Read a study file; what reads must read back as the same."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "study.yaml")
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "replace"))
        study = Study.load(path, smoke)
        path.write_text(study.dump(), encoding="utf-8")
        again = Study.load(path)
    if again != study and repr(again) != repr(study):  # nan is not itself
        raise AssertionError("it reads back as another study")


def _file(dice: random.Random) -> tuple[str, str | bytes]:
    """A study file with one value of its data, or some bytes of its text, changed."""
    if dice.random() < 0.6:
        try:
            study = changed(json.loads(json.dumps(STUDY)), HOSTILE, dice)
            return "value", yaml.dump(study, Dumper=yaml.Dumper, allow_unicode=True)
        except (ValueError, yaml.YAMLError):
            return "value", b"\x00"
    text = yaml.safe_dump(STUDY).encode()
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(text))
        text = text[:place] + dice.choice(PIECES) + text[place + dice.randrange(4) :]
    return "bytes", text


def _value(dice: random.Random) -> Any:
    value = dice.choice(HOSTILE)
    if isinstance(value, str) and dice.random() < 0.5:
        value = f"{dice.choice(('magnitude', 'lora', '0', ''))}{dice.choice(':,+= ')}{value}"
    return value


def _part(dice: random.Random) -> Trial:
    """One level, list of levels, step, recipe or calibration of a hostile value."""
    value = _value(dice)
    kind = dice.choice(("level", "levels", "step", "recipe", "seeds", "calibration"))
    if kind in ("level", "levels"):
        return tried(kind, lambda: (level if kind == "level" else levels)(value) and None)
    if kind == "step":
        text = "9" * 5000 if isinstance(value, int) else str(value)
        return tried(kind, lambda: _same_step(text))
    if kind == "recipe":
        return tried(kind, lambda: Recipe.of(steps=value, levels="0,0.5") and None)
    if kind == "seeds":
        return tried(kind, lambda: Recipe.of(steps="magnitude").seeded(value) and None)
    fields = {dice.choice(("data", "nsamples", "seqlen", "seed", "x")): value}
    return tried(kind, lambda: Calibration.of(**{"data": "clinic", **fields}) and None)


def _same_step(text: str) -> None:
    step = Step.parse(text)
    try:
        again = Step.parse(str(step))
    except RequestError as error:
        raise AssertionError(f"{step} does not read back: {error}") from None
    if again != step and repr(again) != repr(step):
        raise AssertionError(f"{step} reads back as {again}")


def trials(count: int, seed: int) -> Iterator[Trial]:
    """Study files and parts of them in turn."""
    dice = random.Random(seed)
    for number in range(count):
        if number % 2:
            yield _part(dice)
            continue
        kind, text = _file(dice)
        smoke = dice.random() < 0.2
        yield tried(f"file, {kind}", lambda text=text, smoke=smoke: read(text, smoke))


def golden(name: str) -> Trial:
    """The trial of one golden case."""
    return tried(name, lambda: read(GOLDEN[name]))
