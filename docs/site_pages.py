"""What of the site is written while it is built: commands, prompts, keys, tree, gallery and so on.

mkdocs calls `on_files` and `on_page_markdown` (mkdocs.yml). Nothing of this is committed, so that
it cannot fall behind.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PLAIN = {str: "text", int: "whole number", float: "number", bool: "true or false"}
HERE = Path(__file__).parent
GALLERY = HERE.parent / "runs" / "gallery"


def commands() -> str:
    """Every command with its arguments and options, read off the application."""
    from typer.main import get_command

    from resect.cli import GROUPS, app

    group: Any = get_command(app)
    same = "`resect COMMAND --help` prints the same. `--data-dir` and `--data_dir` are one option."
    parts = ["# Commands", same]
    for name, members in GROUPS.items():
        parts.append(f"## {name}")
        parts += [_command(member, group.commands[member]) for member in members]
    return "\n\n".join(parts) + "\n"


def _command(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
    usage = " ".join([f"resect {name}", *(p.name.upper() for p in arguments)])
    rows = "\n".join(_option(option) for option in options if not getattr(option, "hidden", False))
    table = f"\n\n| option | what it does |\n| --- | --- |\n{rows}" if rows else ""
    return f"### resect {name}\n\n```\n{usage}\n```\n\n{inspect.cleandoc(command.help)}{table}"


def _option(option: Any) -> str:
    flags = ", ".join(f"`{flag}`" for flag in option.opts)
    return f"| {flags} | {_cell(option.help or '')} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")


def study_keys() -> str:
    """The keys of a study file, from the types that read it."""
    from resect.spec import Recipe, Study
    from resect.spec.study import Calibration, ModelRef, Runtime

    parts = [
        "# Study files",
        "A study is one YAML file. `studies/` has nine; `resect plan FILE` says what is wrong "
        "with one in a sentence. The section `smoke` replaces keys for `resect run FILE --smoke`.",
    ]
    for kind in (Study, ModelRef, Recipe, Calibration, Runtime):
        rows = "\n".join(_field(name, field) for name, field in kind.model_fields.items())
        parts.append(f"## {kind.__name__}\n\n{inspect.getdoc(kind)}")
        parts.append(f"| key | value | default | meaning |\n| --- | --- | --- | --- |\n{rows}")
    return "\n\n".join(parts) + "\n"


def _field(name: str, field: Any) -> str:
    default = "needed" if field.is_required() else f"`{field.default!r}`"
    kind = _cell(", ".join(_values(field.annotation)))
    return f"| `{name}` | {kind} | {_cell(default)} | {_cell(field.description or '')} |"


def _values(annotation: Any) -> Iterator[str]:
    """The values of an annotation in words."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation is types.NoneType:
        yield "null"
    elif origin is typing.Literal:
        yield from (f"`{part}`" for part in parts)
    elif origin in (types.UnionType, typing.Union):
        for part in parts:
            yield from _values(part)
    elif origin is tuple:
        yield f"list of {' or '.join(_values(parts[0]))}"
    elif origin is not None:
        yield f"map of {' to '.join(' or '.join(_values(part)) for part in parts)}"
    else:
        yield PLAIN.get(annotation, annotation.__name__)


def prompts() -> str:
    """What every task asks: its protocol, and its prompt with words in capitals to be filled."""
    from resect import tasks

    parts = [
        "# Prompts",
        "The text that each task sends, without worked examples and chat template. Words in "
        "capitals stand for what a question brings. Protocols are those of `resect tasks --json`.",
    ]
    for info in tasks.listed():
        parts.append(f"## {info.name.replace('<', '&lt;')}\n\n{info.protocol.replace('<', '&lt;')}")
        if ":" not in info.name and info.kind != "score":
            parts.append(f"```\n{_prompt(tasks.get(info.name), info)}\n```")
    return "\n\n".join(parts) + "\n"


def _prompt(task: Any, info: Any) -> str:
    """A task's prompt for a question of placeholders."""
    from resect.tasks.question import Question

    letters = [label for label in info.labels if len(label) == 1][:5]
    question = Question(
        id="placeholder",
        question="QUESTION",
        gold=next(iter(info.labels), "ANSWER"),
        labels=info.labels,
        options={letter: f"OPTION {letter}" for letter in letters} or None,
        context="CONTEXT",
        tags={"subject": "SUBJECT"},
    )
    return "\n\n".join(filter(None, [task.description(question), task.prompt(question)]))


PAGES = {
    "demo": ("The embedded pair: 19 levels of pruning", "resect demo"),
    "demo-moe": ("The embedded mixtures: experts cut out", "resect demo --moe"),
    "audit-7b": (
        "Recorded answers of a published 7B study, audited",
        "resect audit lobotomy_logs.tar.xz",
    ),
    "real-model": ("A real model of 134 M parameters", "make real"),
    "real-pair": ("A real specialist and its base", "resect run studies/smollm2.yaml"),
    "gguf": ("llama.cpp's types, asked as deployed", "resect run studies/gguf.yaml"),
    "smallest": ("Neurons cut out, 4 and 8 bits, and both", "resect run studies/smallest.yaml"),
}
"""What each page of the gallery shows, and the command that makes its run."""


def gallery(folder: Path = GALLERY) -> str:
    """The pages that `make gallery` built, and those that are not here."""
    lines = ["# Gallery", "", "Reports as `resect` writes them, each one file.", ""]
    lines += ["| page | shows | command |", "| --- | --- | --- |"]
    for name, (shows, command) in PAGES.items():
        page = folder / f"{name}.html"
        link = f"[{name}](../gallery/{page.name})" if page.is_file() else f"{name} (not built)"
        lines.append(f"| {link} | {shows} | `{command}` |")
    built = "`make gallery` builds what it can; studies that take hours are taken from `runs/`."
    return "\n".join([*lines, "", built]) + "\n"


def summary_keys() -> str:
    """Every key of summary.json, from the types of its rows."""
    return str(_beside("generate").keys())


def tree() -> str:
    """What every folder of the package and every file elsewhere is for."""
    return f"```\n{_beside('tree').tree()}```"


def _beside(name: str) -> types.ModuleType:
    """A script of this folder as a module."""
    if str(HERE) not in sys.path:
        sys.path.append(str(HERE))
    return importlib.import_module(name)


INSERTED = {
    "summary.md": ("<!-- keys -->", summary_keys),
    "architecture.md": ("<!-- tree -->", tree),
}
"""Pages with a place that is filled while the site is built."""


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill the place of a page that has one."""
    place, written = INSERTED.get(page.file.src_uri, ("", None))
    return markdown.replace(place, written()) if written else markdown


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages to the site, and the gallery's pages as they are."""
    from mkdocs.structure.files import File

    written = {
        "cli": commands(),
        "study": study_keys(),
        "prompts": prompts(),
        "gallery": gallery(),
    }
    for name, text in written.items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    for page in (GALLERY / f"{name}.html" for name in PAGES):
        if not page.is_file():
            continue
        files.append(File.generated(config, f"gallery/{page.name}", abs_src_path=str(page)))
    return files
