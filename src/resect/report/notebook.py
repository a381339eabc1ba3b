"""What a run or a choice shows of itself in a notebook: the answer, and the matrix of versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from resect.findings.rows import Summary
from resect.report.cleaner import plain
from resect.report.data.matrix import Matrix, matrices
from resect.report.data.scope import Scope


def of_run(summary: Summary, lines: Sequence[str] = ()) -> str:
    """HTML without scripts: the lines, else the headline with its lines, then each matrix."""
    scope = Scope(summary)
    told = lines or (summary.headline.text, *summary.headline.lines)
    parts = [f"<p>{'<br>'.join(map(_text, told))}</p>"]
    for model in scope.models:
        parts += [_table(drawn) for drawn in matrices(scope, model, [])]
    return "\n".join(parts)


def _table(drawn: Matrix) -> str:
    heads = "".join(f"<th>{_text(level)}</th>" for level in ("", *drawn.levels))
    rows = ("".join(_cells(drawn, number)) for number in range(len(drawn.lines)))
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    caption = f"<caption>{_text(drawn.model.label)}: {_text(drawn.says)}</caption>"
    return f"<table>{caption}<tr>{heads}</tr>{body}</table>"


def _cells(drawn: Matrix, number: int) -> Iterator[str]:
    line = drawn.lines[number]
    yield f"<th>{_text(line.name)}</th>"
    for square in line.squares:
        told = " ".join(filter(None, (square.mark, square.value, square.size)))
        strong = f"<b>{_text(told)}</b>" if square.winner else _text(told)
        yield f'<td title="{_text(square.word)}">{strong}</td>'


def _text(value: str) -> str:
    return escape(plain(value))
