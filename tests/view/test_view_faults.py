"""The view of a store that is damaged, of odd addresses, and of what nobody foresaw: a sentence."""

from __future__ import annotations

import random
import re
import shutil
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tools.fuzz.store import damage
from viewed import filled

from resect.errors import RequestError, RunError
from resect.view import answers
from resect.view.web_app import application

TOKEN = "/secret"
PLACES = ("/", "/answers", "/answers?flip=lost", "/answers?page=3", "/item/parity/{key}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("run")
    filled(place, items=20)
    return place


def client(folder) -> TestClient:
    return TestClient(
        application(folder, "secret"), base_url="http://127.0.0.1", raise_server_exceptions=True
    )


def pages(folder) -> list[str]:
    """Every kind of page, without the name of the folder."""
    opened = client(folder)
    listed = opened.get(f"{TOKEN}/answers").text
    key = re.search(r"/item/parity/([^?#\"]*)", listed)
    places = [place.format(key=key[1] if key else "x") for place in PLACES]
    return [opened.get(TOKEN + place).text.replace(str(folder), "") for place in places]


@pytest.mark.parametrize("kind", ["flip", "cut"])
def test_a_damaged_store_is_the_same_or_a_sentence(kind, folder, tmp_path):
    """Nothing that was changed is shown as if a model had said it."""
    whole, dice, sentences = pages(folder), random.Random(kind), []
    for number in range(25):
        place = tmp_path / str(number)
        place.mkdir()
        shutil.copyfile(folder / "results.sqlite", place / "results.sqlite")
        damage(place / "results.sqlite", kind, dice)
        try:
            assert pages(place) == whole
        except (RequestError, RunError) as error:
            sentences.append(str(error))
    assert sentences
    assert [text for text in sentences if len(text.splitlines()) > 1] == []


@pytest.mark.parametrize(
    "query",
    ["page=" + "9" * 5000, "page=-1", "page=%00", "level=nan", "level=1e400", "model=%F0%9F",
     "flip=%3Cscript%3E", "task=" + "x" * 20_000, "page=1&page=2", "outcome=%E2%80%AE"],
)  # fmt: skip
def test_any_query_is_answered(query, folder):
    answer = client(folder).get(f"{TOKEN}/answers?{query}")
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    assert "\u202e" not in answer.text


@pytest.mark.parametrize("address", ["/item/parity/x", "/item/x/" + "y" * 5000, "/item/%00/%00"])
def test_an_item_that_is_not_there(address, folder):
    answer = client(folder).get(TOKEN + address)
    assert (answer.status_code, len(answer.text.splitlines())) == (404, 1)


def test_a_store_that_is_destroyed_meanwhile(folder, tmp_path):
    shutil.copyfile(folder / "results.sqlite", tmp_path / "results.sqlite")
    opened = client(tmp_path)
    with (tmp_path / "results.sqlite").open("r+b") as file:
        file.write(b"\xff" * (tmp_path / "results.sqlite").stat().st_size)
    for place in ("/", "/answers"):
        answer = opened.get(TOKEN + place)
        assert answer.status_code == 500
        assert len(answer.text.splitlines()) == 1
        assert "cannot be read" in answer.text


def test_what_nobody_foresaw_is_a_sentence_with_a_crash_file(folder, monkeypatch):
    def failing(*_):
        raise TypeError("of a kind")

    monkeypatch.setattr(answers, "page", failing)
    answer = client(folder).get(f"{TOKEN}/answers")
    assert (answer.status_code, len(answer.text.splitlines())) == (500, 1)
    path = Path(re.search(r"details are in (\S+\.txt)", answer.text)[1])
    assert "TypeError" in path.read_text(encoding="utf-8")
    path.unlink()
    assert answer.headers["content-security-policy"]
