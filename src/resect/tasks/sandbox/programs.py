"""Programs that a model wrote: whether they may be run, and whether one passes its tests.

Nothing runs without the usual opt-in (`HF_ALLOW_CODE_EVAL=1`, or `--confirm_run_unsafe_code`), or
without bubblewrap. A program and its tests are two processes, each in a sandbox of its own
(`walls`): that of the program (`runner`) receives arguments and returns values, that of the tests
(`tester`) compares them and decides. A program that controls its whole process can only give
wrong answers.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import os
import sys
import threading
import time

from resect.errors import RequestError
from resect.tasks.sandbox import walls, wire
from resect.tasks.sandbox.trial import Limits, Ran, trial

OPT_IN = "HF_ALLOW_CODE_EVAL"
LIMITS = Limits(seconds=10.0, memory=512 << 20)

_PARSING = threading.Lock()


def allow() -> None:
    """Opt in for this process and those it starts."""
    os.environ[OPT_IN] = "1"


def allowed() -> bool:
    """Whether somebody opted in."""
    return os.environ.get(OPT_IN) == "1"


def check() -> None:
    """Raise `RequestError` where programs may not, or cannot safely, be run."""
    if not allowed():
        raise RequestError(
            f"this task runs programs that a model wrote: to allow it, set {OPT_IN}=1 or give "
            "--confirm_run_unsafe_code."
        )
    walls.account()


def run(
    program: str, tests: str = "", context: str = "", entry: str = "", limits: Limits = LIMITS
) -> Ran:
    """Run `program` and then `tests`, which call its functions; it passed if no test fails.

    `context` is code that the tests may use as it stands (a helper in the prompt; it may end with
    the head of a function), `entry` the function that the program has to bring all the same.
    Says `walls` and runs nothing where the walls do not stand; tries again, for a busy kernel may
    be short of namespaces for a moment.
    """
    try:
        account = walls.account()
        context = _whole(context)
        names, modules = functions(tests, context, entry)
        imports = "".join(f"import {name}\n" for name in modules)
        asked = wire.encode((names, imports + context, tests))
    except (RequestError, wire.Malformed, SyntaxError, ValueError, RecursionError) as error:
        return Ran(False, "walls", str(error))
    ran = Ran(False, "walls")
    for wait in (0.0, 0.2, 1.0):
        time.sleep(wait)
        try:
            ran = trial(program.encode("utf-8", "surrogatepass"), asked, account, limits)
        except OSError as error:
            ran = Ran(False, "walls", str(error))
        if ran.how != "walls":
            break
    return ran


def functions(tests: str, context: str = "", entry: str = "") -> tuple[list[str], list[str]]:
    """Names in `tests` that only the program can mean, and modules that the tests do not import.

    The first are `entry` and what neither tests, context nor builtins define. If there are none,
    the function under test has a builtin's name: it is the one that is asserted first.
    """
    tree = _parsed(tests)
    used, bound = _names(tree)
    free = used - bound - _names(_parsed(context))[1] - set(dir(builtins))
    bases = (node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    owners = {base.id for base in bases if isinstance(base, ast.Name)}
    modules = free & owners & sys.stdlib_module_names
    names = (free - modules) | ({entry} & used)
    first = next((node for node in ast.walk(tree) if isinstance(node, ast.Assert)), None)
    if first and not names:
        calls = (node.func for node in ast.walk(first) if isinstance(node, ast.Call))
        names.update([name.id for name in calls if isinstance(name, ast.Name)][:1])
    return sorted(names), sorted(modules)


def _parsed(code: str) -> ast.Module:
    """The syntax tree of `code`; one thread at a time.

    CPython 3.11 counts the depth of its recursion once for all threads, and raises `SystemError`
    where one parses while another does.
    """
    with _PARSING:
        return ast.parse(code)


def _whole(context: str) -> str:
    """`context` as code that can be run: its last function may have no body yet."""
    for end in ("", "\n    pass", "\n        pass"):
        with contextlib.suppress(SyntaxError):
            _parsed(context + end)
            return context + end
    return ""


def _names(tree: ast.AST) -> tuple[set[str], set[str]]:
    """Names read, and names bound, anywhere in a program."""
    used: set[str] = set()
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
    return used, bound
