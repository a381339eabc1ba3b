"""What the view serves: filters, items, nothing without its token, nothing that changes a run."""

from __future__ import annotations

import re
import sqlite3
import urllib.error
import urllib.request
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from viewed import HOSTILE, MODELS, end, filled, serving

from resect.cli import main
from resect.errors import RequestError
from resect.store.lock import exclusive
from resect.store.sqlite import Store
from resect.view.answer_index import AnswerIndex, Filters
from resect.view.answers import page
from resect.view.http_server import serve
from resect.view.web_app import application

TOKEN = "/secret"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("run")
    filled(place)
    return place


@pytest.fixture(scope="module")
def client(folder: Path) -> TestClient:
    return TestClient(application(folder, "secret"), base_url="http://127.0.0.1")


def total(client: TestClient, query: str) -> int:
    html = client.get(f"{TOKEN}/answers?{query}").text
    found = re.search(r'<h1 id="total">([\d\u202f]+) answers', html)
    assert found
    return int(found[1].replace("\u202f", ""))


# each of 2 models: 10 cells of 60 items; at 0.3 a third is lost, at 0.6 everything
@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 20 * 60),
        ("task=parity", 10 * 60),
        ("task=own/task&model=base", 5 * 60),
        ("recipe=none", 4 * 60),
        ("level=0.6", 8 * 60),
        ("level=0", 4 * 60),
        ("grade=wrong&level=0.3", 8 * 20),
        ("flip=lost", 8 * (20 + 60)),
        ("flip=gained", 0),
        ("outcome=off_task&recipe=wanda&level=0.6&model=base&task=parity", 30),
        ("model=nobody", 0),
        ("outcome=%3Cscript%3E", 0),
        ("page=99&task=parity", 10 * 60),
        ("page=-4", 20 * 60),
    ],
)  # fmt: skip
def test_filters_count_what_they_take(client, query, number):
    assert total(client, query) == number


def test_pages_hold_every_answer_once(folder):
    index = AnswerIndex(folder / "results.sqlite")
    filters = Filters(flip="lost", model="base")
    pages = page(index, filters).pages
    rows = [row for n in range(1, pages + 1) for row in page(index, filters, n).rows]
    assert len(rows) == page(index, filters).total == 4 * 80
    assert len({(row.cell.id, row.item) for row in rows}) == len(rows)
    assert {row.mark.flip for row in rows} == {"lost"}
    strip = rows[0].strip
    assert [mark.level for mark in strip] == [0.0, 0.3, 0.6]
    assert [mark.grade for mark in strip] == ["right", "wrong", "wrong"]


def test_an_item_has_an_address_of_its_own(client):
    html = client.get(f"{TOKEN}/answers?task=own/task&level=0.3&flip=lost&recipe=wanda").text
    address = unescape(re.search(r'class="row" href="([^"#]*)#at-0.3"', html)[1])
    assert address.endswith("?recipe=wanda")
    item = client.get(address).text
    assert item.count("<article") == 2 * 3  # models side by side, at every level
    assert [f'id="at-{x}"' in item for x in ("0", "0.3", "0.6")] == [True] * 3
    assert 'class="gold-option"' in item
    assert 'rel="next"' in item
    assert client.get(f"{TOKEN}/item/parity/h1:none").status_code == 404
    assert client.get(address.replace("wanda", "nothing")).status_code == 200


def test_hostile_text_is_only_text(client):
    html = client.get(f"{TOKEN}/answers?level=0.3").text
    address = unescape(re.search(r'class="row" href="([^"#]*)#', html)[1])
    for text in (html, client.get(f"{TOKEN}/").text, client.get(address).text):
        assert "<script>doc" not in text
        assert "<img" not in text
        assert "id=injected>" not in text
        assert "\u202e" not in text
        assert "\x1b" not in text
        assert "special<i>" not in text
        assert len(re.findall("<script", text)) == 1
    policy = client.get(f"{TOKEN}/").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_nothing_is_served_without_the_token_or_to_another_site(client, folder):
    for address in ("/", "/answers", "/view.js", "/other/", "/secre/answers"):
        assert client.get(address).status_code == 404
    outside = TestClient(application(folder, "secret"), base_url="http://evil.example")
    assert outside.get(f"{TOKEN}/").status_code == 400
    for method in ("post", "put", "delete", "patch"):
        assert getattr(client, method)(f"{TOKEN}/answers").status_code == 405


def test_it_listens_on_the_loopback_address_alone_and_changes_nothing(folder):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with serving(folder) as address:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{24}/", address)
        assert urllib.request.urlopen(address).status == 200
        assert urllib.request.urlopen(f"{address}answers?flip=lost").status == 200
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(address[:-3])
        port = address.split(":")[2].split("/")[0]
        with pytest.raises(RequestError, match=f"port {port} cannot be used"):
            serve(folder, int(port), print)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_it_follows_a_study_that_runs(tmp_path):
    plan = filled(tmp_path, ended=3)
    client = TestClient(application(tmp_path, "secret"), base_url="http://127.0.0.1")
    html = client.get(f"{TOKEN}/").text
    assert "Not complete: 3 of 20 cells, 180 answers" in html
    assert "17 cells were not run" in html
    assert "data-again" not in html
    with exclusive(tmp_path), Store(tmp_path / "results.sqlite") as store:
        items = [store.items()[key] for key in plan[3].items]
        end(store, plan[3], items)
        html = client.get(f"{TOKEN}/").text
        assert "Running: 4 of 20 cells, 240 answers" in html
        assert 'data-again="2"' in html
        assert total(client, "") == 240


def test_another_plan_keeps_what_is_indexed(tmp_path):
    """As each round of a search has a plan of its own."""
    filled(tmp_path)
    index = AnswerIndex(tmp_path / "results.sqlite")
    with sqlite3.connect(tmp_path / "results.sqlite") as db:
        db.execute("DELETE FROM plan WHERE recipe = 'wanda'")
        db.execute("UPDATE plan SET position = position + 100")
    index.refresh()
    assert page(index, Filters()).total == 12 * 60
    assert page(index, Filters(recipe="wanda")).total == 0


def test_where_there_is_no_run(tmp_path, capsys):
    assert main(["view", str(tmp_path)]) == 2
    assert "there is no run at" in capsys.readouterr().err
    assert main(["view", str(tmp_path), "--port", "70000"]) == 2


def test_names_of_the_run_are_in_the_choices(client):
    html = client.get(f"{TOKEN}/answers").text
    assert unescape(html).count(f'<option value="{MODELS[0]}"') == 1
    assert HOSTILE not in html
