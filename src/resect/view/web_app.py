"""The web application: pages under a secret address, for this machine, that change nothing."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from resect import crash
from resect.catalog import OUTCOMES
from resect.errors import RequestError, RunError
from resect.report import formatting as text
from resect.report.charts import svg
from resect.view import answers
from resect.view.answer_index import GRADES, AnswerIndex, Filters, level_name
from resect.view.run_overview import overview

_FILES = Path(__file__).parent
_PAGE_CSS = _FILES.parent / "report" / "page" / "page.css"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FLIPS = {"lost": "right before, wrong now", "gained": "wrong before, right now"}


def application(folder: Path, token: str) -> Starlette:
    """The view of the run in `folder`; every address begins with `token`."""
    pages = _Pages(folder, f"/{token}")
    known = partial(Route, methods=["GET"])
    routes = [
        known(f"/{token}/", pages.overview),
        known(f"/{token}/answers", pages.answers),
        known(f"/{token}/item/{{task:path}}/{{key}}", pages.item),
        known(f"/{token}/view.css", lambda _: Response(_styles(), media_type="text/css")),
        known(f"/{token}/view.js", lambda _: Response(_script(), media_type="text/javascript")),
    ]
    return Starlette(
        routes=routes,
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"]),
            Middleware(BaseHTTPMiddleware, dispatch=_guarded),
        ],
        exception_handlers={RequestError: _refused, RunError: _failed, sqlite3.Error: _failed},
    )


def new_token() -> str:
    """A secret for the address, so that no other program or page on this machine can read a run."""
    return secrets.token_urlsafe(18)


async def _guarded(request: Request, go: Callable[[Request], Awaitable[Response]]) -> Response:
    try:
        response = await go(request)
    except Exception as error:
        response = PlainTextResponse(text.plain(crash.sentence(error)), status_code=500)
    response.headers.update(_HEADERS)
    return response


async def _refused(_: Request, error: Exception) -> Response:
    return PlainTextResponse(text.plain(error), status_code=404)


async def _failed(_: Request, error: Exception) -> Response:
    return PlainTextResponse(f"The run cannot be read: {text.plain(error)}.", status_code=500)


class _Pages:
    """The pages; each looks at the store anew."""

    def __init__(self, folder: Path, root: str) -> None:
        self.folder, self.root = folder, root
        self.index = AnswerIndex(folder / "results.sqlite")
        self.templates = _environment(root)

    def overview(self, _: Request) -> Response:
        """How far the run is."""
        self.index.refresh()
        return self._shown("overview.html.jinja", page=overview(self.index, self.folder))

    def answers(self, request: Request) -> Response:
        """The answers that the filters of the address take."""
        self.index.refresh()
        filters = filters_of(request.query_params)
        number = request.query_params.get("page", "1")[:9]
        page = answers.page(self.index, filters, int(number) if number.isdecimal() else 1)
        return self._shown(
            "answers.html.jinja", page=page, filters=filters, choices=_choices(self.index)
        )

    def item(self, request: Request) -> Response:
        """One item, with every text."""
        self.index.refresh()
        where = request.path_params
        recipe = request.query_params.get("recipe")
        item = answers.item(self.index, where["task"], where["key"], recipe)
        return self._shown("item.html.jinja", item=item)

    def _shown(self, name: str, **values: Any) -> Response:
        html = self.templates.get_template(name).render(run=str(self.folder), **values)
        return HTMLResponse(html)


def filters_of(query: Mapping[str, str]) -> Filters:
    """The filters in an address; an empty one is none."""
    return Filters(**{name: query.get(name) or None for name in Filters._fields})


def _choices(index: AnswerIndex) -> dict[str, dict[str, str]]:
    """What each filter offers: value to name."""
    with index.lock:
        cells = index.cells
    levels = {level_name(cell.level): text.level(cell.level) for cell in cells}
    return {
        "task": {cell.task: cell.task for cell in cells},
        "model": {cell.model: cell.model for cell in cells},
        "recipe": {cell.recipe: _recipe(cell.recipe) for cell in cells},
        "level": levels,
        "outcome": {name: outcome.label for name, outcome in OUTCOMES.items()},
        "grade": {name: name for name in GRADES if name},
        "flip": FLIPS,
    }


def _recipe(name: str) -> str:
    return "intact" if name == "none" else name


def _environment(root: str) -> Environment:
    """Templates that escape whatever they show."""
    environment = Environment(
        loader=PackageLoader("resect.view"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def address(filters: Filters, **changes: object) -> str:
        given = {**filters._asdict(), **changes}
        return f"{root}/answers?{urlencode({k: v for k, v in given.items() if v})}"

    environment.filters |= {
        "plain": text.plain, "raw": text.raw, "level": text.level, "count": text.count,
        "percent": text.percent, "recipe": _recipe, "level_name": level_name,
        "recipe_name": answers.recipe_name,
    }  # fmt: skip
    environment.globals |= {
        "root": root, "address": address, "OUTCOMES": OUTCOMES, "Filters": Filters, "FLIPS": FLIPS,
    }  # fmt: skip
    return environment


def _styles() -> str:
    """The looks of the report's page, the colours of figures, and those of the view."""
    colours = {f"m{i}": colour for i, colour in enumerate(svg.COLOURS)}
    colours |= {f"o-{name}": outcome.colour for name, outcome in OUTCOMES.items()}
    names = "".join(f"--{name}:{colour};" for name, colour in colours.items())
    own = "".join(f".{name}{{--own:var(--{name})}}\n" for name in colours)
    parts = (_PAGE_CSS.read_text(encoding="utf-8"), (_FILES / "view.css").read_text("utf-8"))
    return f":root{{{names}}}\n{own}" + "\n".join(parts)


def _script() -> str:
    return (_FILES / "view.js").read_text(encoding="utf-8")
