"""Print what every folder of the package and every file elsewhere is for: `python docs/tree.py`.

Each purpose is read from the file itself; a folder's is that of its `__init__.py`. The site shows
it on the page of the architecture (docs/site_pages.py).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
SKIPPED = {".typed", ".pyc"}


def purpose(path: Path) -> str:
    """The first sentence of a file: its docstring, heading or first comment."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        text = ast.get_docstring(ast.parse(text)) or ""
    else:
        text = re.sub(r"\A(?:/\*+|\{#-?|//|#)\s*", "", text)
    sentence = " ".join(text.split("\n\n")[0].split())
    sentence = re.split(r"(?<=[\w`)]\.)\s|\s\*/|\s-?#\}|\s# ", sentence, maxsplit=1)[0]
    if len(sentence) > 92:
        sentence = re.split(r"[:;]\s", sentence, maxsplit=1)[0]
    return sentence.rstrip(".:").strip()


def lines(folder: Path, depth: int) -> list[str]:
    """A folder's files and folders, each on its line; data folders are one line."""
    found = []
    for path in sorted(folder.iterdir(), key=lambda p: (p.is_dir(), p.name)):
        if path.name == "__pycache__" or path.suffix in SKIPPED:
            continue
        indent = "  " * depth
        if path.is_dir() and path.name == "data":
            found.append(
                f"{indent + path.name + '/':<28}shipped models, made by what stands in tools/"
            )
        elif path.is_dir():
            found += [f"{indent}{path.name}/", *lines(path, depth + 1)]
        else:
            found.append(f"{indent + path.name:<28}{purpose(path)}")
    return found


def folders(folder: Path, depth: int) -> list[str]:
    """A package's folders, each on its line; files that stand at the top too."""
    shown = []
    for path in sorted(folder.iterdir(), key=lambda p: (p.is_dir(), p.name)):
        indent = "  " * depth + path.name
        if path.suffix == ".py" and depth == 1 and path.name != "__init__.py":
            shown.append(f"{indent:<28}{purpose(path)}")
        elif (path / "__init__.py").is_file():
            shown.append(f"{indent + '/':<28}{purpose(path / '__init__.py')}")
            shown += folders(path, depth + 1)
    return shown


def tree() -> str:
    """The whole tree as text."""
    shown = []
    for name, listed in SHOWN.items():
        shown += [f"{name}/", *listed(ROOT / name, 1)]
    shown.append(
        f"{'tests/':<28}contract suites, golden cases, parity, then a mirror of the package"
    )
    return "\n".join(shown) + "\n"


SHOWN: dict[str, Callable[[Path, int], list[str]]] = {
    "src/resect": folders,
    "studies": lines,
    "benchmarks": lines,
    "tools": folders,
}


if __name__ == "__main__":
    print(tree(), end="")
