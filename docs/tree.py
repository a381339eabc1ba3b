"""Write the tree of docs/architecture.md: one line a file, its purpose read from the file."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
START, END = "<!-- tree -->\n```\n", "```\n<!-- /tree -->"
SHOWN = ("src/resect", "studies", "benchmarks", "tools", "docs")
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


def tree() -> str:
    """The whole tree as text."""
    found = []
    for name in SHOWN:
        if (ROOT / name).is_dir():
            found += [f"{name}/", *lines(ROOT / name, 1)]
    found.append(
        f"{'tests/':<28}contract suites, golden cases, parity, then a mirror of the package"
    )
    return "\n".join(found) + "\n"


def main() -> int:
    """Put the tree into the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(START)
    PAGE.write_text(before + START + tree() + END + rest.split(END)[1], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
