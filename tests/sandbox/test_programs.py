"""How programs fare in their tests; and that nothing runs without leave, or without walls."""

from __future__ import annotations

import os
import time

import pytest

from resect.errors import RequestError
from resect.tasks.sandbox import programs, walls
from resect.tasks.sandbox.programs import OPT_IN, Limits, functions, run

SMALL = Limits(1.0, 256 << 20)


@pytest.mark.parametrize(
    ("program", "how"),
    [
        ("assert 1 + 1 == 2", "passed"),
        ("import math, re, collections, itertools\nassert math.gcd(4, 6) == 2", "passed"),
        ("import ssl, sqlite3, hashlib, decimal, dataclasses, statistics, asyncio", "passed"),
        ("import sys\nprint('x' * 10**6)\nprint('x' * 10**6, file=sys.stderr)", "passed"),
        ("from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int = 1", "passed"),
        ("assert __name__ == '__main__'", "passed"),
        ("def f(x: int): pass\nassert f.__annotations__ == {'x': int}", "passed"),
        ("assert 1 + 1 == 3", "assertion"),
        ("1 / 0", "error"),
        ("def f(x: Nothing): pass", "error"),
        ("def f(: pass", "syntax"),
        ("x = '\udc80'", "syntax"),
        ("x = '\0'", "syntax"),
        ("import sys\nsys.exit(0)", "exit"),
        ("import os\nos._exit(0)", "exit"),
        ("import os\nos._exit(255)", "exit"),
        ("import ctypes\nctypes.string_at(0)", "killed"),
        ("x = bytearray(10 << 30)", "memory"),
        ("while True: pass", "timeout"),
        ("import time\ntime.sleep(60)", "timeout"),
    ],
)
def test_how_programs_end(program, how):
    started = time.monotonic()
    assert run(program, limits=SMALL).how == how
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("body", "test", "how"),
    [
        ("x + 1", "f(1) == 2", "passed"),
        ("[x, (x, {x: {x}})]", "f(1) == [1, (1, {1: {1}})]", "passed"),
        ("x is None", "f(None) is True", "passed"),
        ("x.conjugate()", "f(1j) == -1j", "passed"),
        ("map(str, x)", "list(f([1, 2])) == ['1', '2']", "passed"),
        ("map(str, x)", "f([1, 2]) == ['1', '2']", "assertion"),
        ("dict(x).keys()", "set(f({1: 2})) == {1}", "passed"),
        ("__import__('re').match('a', x)", "f('ab') and not f('b')", "passed"),
        ("__import__('collections').Counter(x)", "f('aab') == {'a': 2, 'b': 1}", "passed"),
        ("(x, x)", "f(1) == [1, 1]", "assertion"),
        ("x.clear()", "f([1]) is None", "passed"),
        ("1 / x", "f(0)", "error"),
        ("[][x]", "f(0)", "error"),
        ("x.y", "f(0)", "error"),
        ("lambda: x", "f(0)() == 0", "error"),
        ("exit(x)", "f(0)", "error"),
        ("__import__('sys').exit(x)", "f(0) is None", "exit"),
        ("x", "f(*range(3)) == 0", "error"),
        ("bytearray(x)", "f(300 << 20)", "memory"),
        ("b'x' * x", "len(f(17 << 20))", "error"),
    ],
)
def test_how_values_compare(body, test, how):
    assert run(f"def f(x): return {body}", f"assert {test}", limits=SMALL).how == how


def test_tests_may_catch_what_a_program_raises():
    program = "def f(x):\n    raise ValueError('no') if x else AssertionError"
    tests = (
        "try: f(1)\nexcept ValueError as error: assert str(error) == 'no'\nelse: assert False\n"
        "try: f(0)\nexcept AssertionError: pass"
    )
    assert run(program, tests).passed
    # but not that it left
    left = "import os\ndef f(x): os._exit(0)"
    assert run(left, "try: f(1)\nexcept BaseException: pass").how == "exit"


def test_what_a_program_does_to_an_argument_stays_with_it():
    tests = "x = [3, 1]\nassert f(x) == [1, 3]\nassert x == [3, 1]"
    assert run("def f(x):\n    x.sort()\n    return x", tests).passed


@pytest.mark.parametrize(
    ("tests", "context", "entry", "expected"),
    [
        ("assert f(1) == 2", "", "", (["f"], [])),
        ("assert set(f(1)) == sorted([2])", "", "", (["f"], [])),
        ("assert sum(10, 15) == 6", "", "", (["sum"], [])),
        ("assert f(1) == sys.maxsize", "", "", (["f"], ["sys"])),
        ("assert queue(1) == 2", "", "", (["queue"], [])),
        ("import math as m\nassert m.isclose(f(1), 2)", "", "", (["f"], [])),
        ("def check(c):\n    x = 1\n    assert c(x) == g(2)\ncheck(f)",
         "def g(x): pass\ndef f(x): pass", "f", (["f"], [])),
        ("def check(c):\n    assert c(1) == f(2)\ncheck(f)", "", "f", (["f"], [])),
        ("", "", "", ([], [])),
    ],
)  # fmt: skip
def test_what_the_tests_want_of_the_program(tests, context, entry, expected):
    assert functions(tests, context, entry) == expected


def test_a_context_is_what_the_tests_use_and_not_the_program():
    context = "def g(x):\n    return x + 1\ndef f(x):\n    '''Less.'''"
    tests = "assert f(g(1)) == 1"
    assert run("def f(x): return x - 1", tests, context, "f").passed
    assert run("def g(x): return 9\ndef f(x): return x - 1", tests, context, "f").passed
    assert run("def g(x): return 1\ndef f(x): return x", tests, context, "f").how == "assertion"
    assert run("def h(x): return x - 1", tests, context, "f").how == "error"
    for begun in ("def g(x):\n    return x + 1\ndef f(x):", "import math\nclass A:\n    def f(x):"):
        tests = "assert f(g(1)) == 1" if "g" in begun else "assert f(math.floor(2.5)) == 1"
        assert run("def f(x): return x - 1", tests, begun, "f").passed
    assert run("def f(x): return x - 1", "assert f(2) == 1", "def f(x) -> (", "f").passed


@pytest.mark.parametrize("tests", ["def f(: pass", "x" * (17 << 20), "(" * 10**5])
def test_tests_that_cannot_be_run_are_no_verdict(tests):
    assert run("x = 1", tests).how == "walls"


def test_without_the_opt_in_nothing_runs(monkeypatch):
    monkeypatch.delenv(OPT_IN, raising=False)
    with pytest.raises(RequestError, match=r"HF_ALLOW_CODE_EVAL=1 or give --confirm_run"):
        programs.check()
    monkeypatch.setenv(OPT_IN, "1")
    programs.check()


@pytest.fixture
def anew():
    """What is known of this machine's walls is forgotten, before and after."""
    walls.account.cache_clear()
    walls.seccomp.cache_clear()
    yield
    walls.account.cache_clear()
    walls.seccomp.cache_clear()


def refused(monkeypatch) -> str:
    """The sentence with which nothing runs."""
    monkeypatch.setenv(OPT_IN, "1")
    with pytest.raises(RequestError) as error:
        programs.check()
    ran = run("assert True")
    assert ran == (False, "walls", str(error.value))
    assert "\n" not in ran.detail
    return ran.detail


def test_without_bubblewrap_nothing_runs_and_a_line_says_how_to_get_it(monkeypatch, tmp_path, anew):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "apt-get install bubblewrap libseccomp2" in refused(monkeypatch)


def test_without_libseccomp_nothing_runs(monkeypatch, anew):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(walls.ctypes, "CDLL", missing)
    assert "apt-get install bubblewrap libseccomp2" in refused(monkeypatch)


def test_where_bubblewrap_may_not_make_namespaces_nothing_runs(monkeypatch, tmp_path, anew):
    """As under a kernel that forbids user namespaces: bubblewrap says so and ends."""
    target = tmp_path / "ran"
    bwrap = tmp_path / "bwrap"
    reason = "bwrap: No permissions to create new namespace"
    bwrap.write_text(f"#!/bin/sh\necho '{reason}' >&2\nexit 1\n")
    bwrap.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    said = refused(monkeypatch)
    assert reason in said
    assert "kernel.unprivileged_userns_clone=1" in said
    assert run(f"open({str(target)!r}, 'w')").how == "walls"
    assert not target.exists()


def test_walls_that_fail_once_are_tried_again(monkeypatch):
    real, trials = programs.trial, []

    def busy(*arguments):
        trials.append(arguments)
        if len(trials) == 1:
            raise BlockingIOError("no process to be had")
        return real(*arguments) if len(trials) > 2 else programs.Ran(False, "walls")

    monkeypatch.setattr(programs, "trial", busy)
    assert run("def f(): return 1", "assert f() == 1").passed
    assert len(trials) == 3
