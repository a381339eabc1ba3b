"""Programs that are wrong and try to pass: each takes in a judge in its own process, none here."""

from __future__ import annotations

import gzip
import json
import secrets
import subprocess
import sys

import pytest

from resect.tasks.sandbox import programs, wire
from resect.tasks.sandbox.programs import run

FAILED = {"assertion", "error", "exit", "killed", "memory", "syntax", "timeout"}
SMALL = programs.Limits(2.0, 256 << 20)

TESTS = """\
import math
assert add(2, 3) == 5
assert set(pair(4)) == {8, 16}
assert abs(half(5) - 2.5) < 1e-6
assert math.isclose(half(7), 3.5, rel_tol=0.001)
"""
RIGHT = """\
def add(a, b): return a + b
def pair(n): return [2 * n, 4 * n]
def half(n): return n / 2
"""
WRONG = """\
def add(a, b): return 0
def pair(n): return [0]
def half(n): return 0
"""
EQUAL = """\
class Equal(BASE):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __lt__(self, other): return True
    def __sub__(self, other): return self
    def __abs__(self): return self
    def __float__(self): return 3.5
    def __hash__(self): return 0
def add(a, b): return Equal()
def pair(n): return [8, 16]
def half(n): return Equal() if n == 5 else 3.5
"""
SEARCH = """\
import gc, re, sys
def texts(thing, depth):
    if isinstance(thing, str): yield thing
    elif isinstance(thing, dict) and depth:
        for part in list(thing.values()): yield from texts(part, depth - 1)
    elif isinstance(thing, (list, tuple)) and depth:
        for part in list(thing): yield from texts(part, depth - 1)
def everything():
    frame = sys._getframe()
    while frame:
        yield from texts(dict(frame.f_locals), 3)
        yield from texts(dict(frame.f_globals), 3)
        frame = frame.f_back
    for thing in gc.get_objects():
        if isinstance(thing, (dict, list, tuple)): yield from texts(thing, 1)
"""
LIARS = """\
import builtins, math
class Same:
    def __eq__(self, other): return True
math.isclose = lambda *_, **__: True
WHERE.set = lambda *_: Same()
WHERE.abs = lambda *_: 0
def add(a, b): return a + b
def pair(n): return [0]
def half(n): return 0
"""

FORGERIES = {
    "leave with exit code 0": WRONG + "import os\nos._exit(0)",
    "SystemExit 0": WRONG + "raise SystemExit(0)",
    "leave when called": "import os\ndef add(a, b): os._exit(0)\npair = half = add",
    "SystemExit when called": "def add(a, b): raise SystemExit(0)\npair = half = add",
    "leave at exit": WRONG + "import atexit, os\natexit.register(os._exit, 0)\nraise SystemExit(0)",
    "leave in a signal's handler": """\
import os, signal
signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
signal.setitimer(signal.ITIMER_REAL, 0.01)
def add(a, b):
    while True: pass
pair = half = add
""",
    "leave in another thread": """\
import os, threading, time
threading.Timer(0.01, os._exit, [0]).start()
def add(a, b): time.sleep(5)
pair = half = add
""",
    "leave on an uncaught exception": WRONG + "import os, sys\n"
    "sys.excepthook = lambda *_: os._exit(0)",
    "leave when traced": WRONG + "import os, sys\nsys.settrace(lambda *_: os._exit(0))",
    "jump over the tests": """\
import math, sys
def skip(frame, event, value):
    frame.f_lineno = max(line for *_, line in frame.f_code.co_lines() if line)
    frame.f_trace = None
def add(a, b): return 0
pair = add
def half(n): return n / 2
sys.settrace(lambda *_: None)
sys._getframe().f_trace = skip
""",
    "the token out of the frames": WRONG + """\
import os, sys
frame = sys._getframe()
while frame:
    if 'token' in frame.f_locals: os.write(1, frame.f_locals['token'].encode())
    frame = frame.f_back
os._exit(1)
""",
    "the tests out of memory": SEARCH + """\
TESTS = next((t for t in everything() if 'assert add(2, 3)' in t and 'everything' not in t), '')
def answer(pattern): return eval(re.search(pattern, TESTS)[1])
def add(a, b): return answer(r'add\\(2, 3\\) == (.*)')
def pair(n): return answer(r'pair\\(4\\)\\) == (.*)')
def half(n): return answer(r'half\\(5\\) - (.*?)\\)' if n == 5 else r'half\\(7\\), (.*?),')
""",
    "an always equal object": EQUAL.replace("BASE", "object"),
    "an always equal int": EQUAL.replace("BASE", "int"),
    "an always equal float": EQUAL.replace("BASE", "float"),
    "an always equal str": EQUAL.replace("BASE", "str"),
    "an always equal list": EQUAL.replace("BASE", "list"),
    "an always equal dict": EQUAL.replace("BASE", "dict"),
    "an object that says it is an int": EQUAL.replace(
        "BASE):", "object):\n    __class__ = property(lambda self: int)"
    ),
    "builtins patched": LIARS.replace("WHERE", "builtins"),
    "names of the tests redefined": LIARS.replace("WHERE.", ""),
    "another math": LIARS.replace("WHERE.", "") + """\
import sys, types
sys.modules['math'] = types.SimpleNamespace(isclose=math.isclose)
""",
}  # fmt: skip

NAIVE = """\
import json, os, sys
def judge():
    program, tests, token = json.load(sys.stdin)
    exec(compile(program + "\\n" + tests, "program.py", "exec"), {"__name__": "__main__"})
    os.write(1, token.encode())
judge()
"""


def naive(program: str) -> bool:
    """Whether a judge that runs the tests in the program's process is taken in.

    It is if it believes the exit code, or the token, which is written after the last test.
    """
    token = secrets.token_hex(8)
    done = subprocess.run(
        [sys.executable, "-c", NAIVE],
        input=json.dumps([program, TESTS, token]),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode == 0 or token in done.stdout


def test_the_right_program_passes_and_the_wrong_one_fails():
    assert run(RIGHT, TESTS).passed
    assert naive(RIGHT)
    assert run(WRONG, TESTS).how == "assertion"
    assert not naive(WRONG)


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_takes_in_a_judge_in_its_process_and_not_this_one(name):
    assert naive(FORGERIES[name])
    ran = run(FORGERIES[name], TESTS, limits=SMALL)
    assert not ran.passed
    assert ran.how in FAILED


# ── what a program can say through its pipes, where it knows the protocol ───────────────────────

MESSAGES = {
    "passed, as a word": [b"passed", b".passed", b"."],
    "passed, as a message": [wire.encode((word,)) for word in ("passed", "ready", "value")],
    "true": [wire.encode(("ready",))] + [wire.encode(("value", True))] * 4,
    "no number": [wire.encode(("ready",))] + [wire.encode(("value", float("nan")))] * 4,
    "walls, so that it is not counted": [wire.encode(("walls",)), b"walls"],
    "an end of the tests": [wire.encode(("raised", "SystemExit", "0"))],
    "an interrupt": [wire.encode(("raised", "KeyboardInterrupt", ""))],
    "a class that is no exception": [wire.encode(("raised", "print", ""))],
    "an exception that wants more": [wire.encode(("raised", "UnicodeDecodeError", ""))],
    "a name that is no text": [wire.encode(("raised", ["x"], ""))],
    "no value": [b"Q0:"],
    "a list of itself, almost": [b"l1:" * 5000 + b"N0:"],
    "more than is sent": [b"sffffff:"],
    "a negative length": [b"s-1:"],
    "an element that cannot be one": [b"S1:l0:"],
}
SAY = """\
import os
for message in MESSAGES:
    for pipe in range(64):
        try: os.write(pipe, message)
        except OSError: pass
"""


@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize("name", MESSAGES)
def test_no_message_of_the_program_is_a_verdict(name, framed):
    said = [len(x).to_bytes(8, "big") + x if framed else x for x in MESSAGES[name]]
    ran = run(WRONG + SAY.replace("MESSAGES", repr(said)), TESTS, limits=SMALL)
    assert not ran.passed
    assert ran.how in FAILED


@pytest.mark.parametrize("when", ["program", "call"])
@pytest.mark.parametrize("how", ["hang", "flood"])
def test_a_silent_or_flooding_program_ends_in_time(when, how):
    what = {
        "hang": "import time\nwhile True: time.sleep(60)",
        "flood": "import os\nwhile True:\n    for pipe in range(3, 64):\n"
        "        try: os.write(pipe, bytes(65536))\n        except OSError: pass",
    }[how]
    if when == "call":
        what = "def add(a, b):\n    " + what.replace("\n", "\n    ")
    ran = run(what, TESTS, limits=programs.Limits(1.0, 256 << 20))
    assert ran.how in FAILED - {"syntax"}


# ── published tests ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def problems(data_dir):
    with gzip.open(data_dir / "humaneval.jsonl.gz", "rt", encoding="utf-8") as lines:
        return {row["id"]: row for row in map(json.loads, lines)}


@pytest.mark.parametrize("number", [0, 32, 161])
def test_forgeries_of_published_problems(number, problems):
    row = problems[f"HumanEval/{number}"]
    name, tests = row["entry_point"], f"{row['test']}\ncheck({row['entry_point']})"
    for program in [
        EQUAL.replace("BASE", "object") + f"def {name}(*a): return Equal()",
        f"import os\ndef {name}(*a): os._exit(0)",
        SEARCH + f"def {name}(*a): return next(t for t in everything() if 'candidate(' in t)",
    ]:
        ran = run(program, tests, row["prompt"], name, SMALL)
        assert not ran.passed
        assert ran.how in FAILED


def test_a_helper_of_the_prompt_is_the_prompts(problems):
    """The tests of find_zero hand its answer to `poly`, which stands in the prompt."""
    row = problems["HumanEval/32"]
    program = "def poly(xs, x): return 0.0\ndef find_zero(xs): return 0.0"
    tests = f"{row['test']}\ncheck(find_zero)"
    exec(f"{program}\n{tests}", {})  # in one process that is enough
    assert run(program, tests, row["prompt"], "find_zero").how == "assertion"
