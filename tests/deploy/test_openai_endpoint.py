"""Endpoints with OpenAI's completions: asked as in transformers, and what they lack is said."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from lazy import WHEN_RUN
from local_server import JsonHandler, listening
from openai_stub import Stub, served

from resect.errors import RequestError, RunError
from resect.record import Item, TaskInfo
from resect.spec import ModelRef, Study
from resect.tasks import Source

if WHEN_RUN:
    from resect import api, tasks
    from resect.ask import Asker
    from resect.deploy import endpoint, gguf_writer
    from resect.deploy.http_client import KEY, Client
    from resect.deploy.openai_endpoint import OpenAiEndpoint
    from resect.deploy.server import Flags, Server
    from resect.models import loading
    from resect.running import resolve


@pytest.fixture(scope="module")
def clinic():
    return loading.load(ModelRef.of(role="model", id="clinic:specialist"), "cpu")


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    monkeypatch.setattr(endpoint, "_WAITS", (0.0, 0.0))


def questions(name, count):
    task = tasks.get(name)
    source = Source(limit=count)
    return list(task.items(source)), task.describe(source)


def study(address, **fields):
    return Study.of(
        name="there", models={"model": address}, recipes=[], tasks=["clinic-medicine"], **fields
    )


def by_row(batches):
    return {
        row: one for batch in batches for row, one in zip(batch.rows, batch.answers, strict=True)
    }


@pytest.mark.parametrize("task", ["clinic-medicine", "clinic-context"])
def test_texts_and_options_are_those_of_transformers(task, clinic):
    items, info = questions(task, 6)
    here = by_row(Asker(clinic.tokenizer, items, info.max_new_tokens, info.stop).ask(clinic.model))
    with served(Stub(clinic)) as stub:
        server = endpoint.at(stub.address)
        assert isinstance(server, OpenAiEndpoint)
        assert (server.runtime, server.version, server.room) == ("vllm", "0.99", 512)
        asking = server.asker(items, info)
        there = by_row(asking.ask(server.connect))
        assert asking.notes() == []
        longest = max(len(clinic.tokenizer(item.prompt).input_ids) for item in items)
        assert asking.room > longest
    for row, answer in here.items():
        assert (there[row].text, there[row].stopped) == (answer.text, answer.stopped)
        assert there[row].option_scores == pytest.approx(answer.option_scores, abs=1e-3)


def test_endpoint_is_a_model_of_a_study_and_survives_failures(clinic, tmp_path, monkeypatch):
    monkeypatch.setenv(KEY, "very-secret")
    with served(Stub(clinic)) as stub:
        asked = study(stub.address, limit=3)
        resolved = resolve.resolve(asked)
        stub.fails = [503, 0, 429]
        run = api.run(asked, out=tmp_path / "run")
        assert run.failed() is None
        assert not stub.fails
        summary = json.loads((tmp_path / "run" / "summary.json").read_text())
        assert {row["runtime"] for row in summary["curves"]} == {"vllm"}
        assert {row["view"] for row in summary["curves"]} == {"text", "options"}
        facts = next(iter(summary["provenance"]["runtimes"].values()))
        assert (facts["server"], facts["version"], facts["n_ctx"]) == ("vllm", "0.99", 512)
        count = len(stub.asked)
        api.run(asked, out=tmp_path / "run")
        extra = [one for one in stub.asked[count:] if one.get("max_tokens", 1) > 1]
        assert extra == []  # nothing is asked twice
        assert stub.keys == {"Bearer very-secret"}
        assert resolved.served["model"]["address"] == stub.address
    stored = b"".join(p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file())
    assert b"very-secret" not in stored


def test_server_that_stays_away_fails_its_cell_and_is_resumed(clinic, tmp_path):
    with served(Stub(clinic)) as stub:
        asked = study(stub.address, limit=3)
        before = len(stub.asked)
        resolve.resolve(asked)
        probes = len(stub.asked) - before
        run_fails = [500] * 40
        asking = endpoint.at(stub.address).asker(*questions("clinic-medicine", 3))
        stub.fails = run_fails
        with pytest.raises(Exception, match="refused"):
            list(asking.ask(lambda room: Client(stub.address)))
        stub.fails = []
        assert api.run(asked, out=tmp_path / "run").failed() is None
        assert probes > 0


def test_what_cannot_be_asked_is_one_sentence(clinic):
    items, info = questions("clinic-medicine", 3)
    with served(Stub(clinic, context=16)) as stub:
        with pytest.raises(RequestError, match="start it with a larger context"):
            resolve.resolve(study(stub.address, limit=3))
        with pytest.raises(RequestError, match="does not serve other: it serves clinic"):
            endpoint.at(stub.address, "other")
        with pytest.raises(RequestError, match="without /v1"):
            endpoint.at(f"{stub.address}/v1")
        stub.wanted = "Bearer other"
        with pytest.raises(RequestError, match="RESECT_API_KEY"):
            endpoint.at(stub.address)
    with served(Stub(clinic, context=None, echoes=False)) as stub:
        server = endpoint.at(stub.address)
        asking = server.asker(items, info)
        answers = by_row(asking.ask(server.connect))
        assert all(answer.option_scores is None and answer.text for answer in answers.values())
        assert any("texts only" in note for note in asking.notes())
        assert any("context" in note for note in asking.notes())
        with pytest.raises(RequestError, match="tells no log-probabilities"):
            server.asker(items, replace(info, max_new_tokens=0))


@pytest.mark.parametrize(
    "reply",
    [
        {"choices": [{"text": "yes"}]},
        {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
        {"choices": [{"text": {"a": 1}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1}},
        {"choices": [{"text": "yes"}], "usage": {"prompt_tokens": "many"}},
        {"choices": "yes", "usage": None},
        ["yes"],
    ],
)
def test_a_reply_of_another_shape_is_one_sentence(reply):
    class Handler(JsonHandler):
        def do_GET(self) -> None:
            models = {"data": [{"id": "m", "max_model_len": 10**30, "context_length": 99}]}
            self.tell(*((200, models) if self.path == "/v1/models" else (404, {})))

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.tell(200, reply)

    info = TaskInfo("t", "label", ("yes", "no"), "", "", 4)
    with listening(Handler) as address:
        server = endpoint.at(address)
        assert (server.room, server.tells) == (99, False)
        asking = server.asker([Item("i", "Is it?", "yes", ("yes", "no"))], info)
        with pytest.raises(RunError, match=r"/v1/completions in a form that is not OpenAI's"):
            list(asking.ask(server.connect))


def test_texts_of_a_real_server_by_its_openai_routes(clinic, tmp_path):
    path = gguf_writer.write(clinic.model, clinic.tokenizer, tmp_path / "c.gguf", "F16").path
    items, info = questions("clinic-medicine", 8)
    here = by_row(Asker(clinic.tokenizer, items, info.max_new_tokens, info.stop).ask(clinic.model))
    with Server(path, Flags(256, slots=2, threads=1)) as held:
        server = OpenAiEndpoint(Client(held.client.address, key=held.client._key))
        assert not server.tells
        there = by_row(server.asker(items, info).ask(server.connect))
    assert {row: one.text for row, one in there.items()} == {
        row: one.text for row, one in here.items()
    }
