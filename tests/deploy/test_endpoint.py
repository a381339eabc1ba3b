"""A server at an address as a model: asked as in transformers; what is wrong is one sentence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from lazy import WHEN_RUN

from resect import tasks
from resect.errors import RequestError, RunError
from resect.spec import ModelRef, Study
from resect.tasks import Source

if WHEN_RUN:
    import torch

    from resect.ask import Asker
    from resect.deploy import endpoint, gguf_writer
    from resect.deploy.http_asker import HttpAsker
    from resect.deploy.http_client import KEY, Client, Gone
    from resect.deploy.server import Flags, Server
    from resect.models import loading
    from resect.running import request, resolve


@pytest.fixture(scope="module")
def clinic():
    return loading.load(ModelRef.of(role="model", id="clinic:specialist"), "cpu")


@pytest.fixture(scope="module")
def path(clinic, tmp_path_factory):
    place = tmp_path_factory.mktemp("files") / "clinic.gguf"
    return gguf_writer.write(clinic.model, clinic.tokenizer, place, "F16").path


def questions(name, count):
    task = tasks.get(name)
    source = Source(limit=count)
    return list(task.items(source)), task.describe(source)


def by_row(batches):
    return {
        row: one for batch in batches for row, one in zip(batch.rows, batch.answers, strict=True)
    }


@pytest.mark.parametrize("task", ["clinic-medicine", "clinic-context"])
def test_options_and_texts_are_those_of_transformers(task, clinic, path):
    torch.set_num_threads(1)
    items, info = questions(task, 25)
    here = by_row(Asker(clinic.tokenizer, items, info.max_new_tokens, info.stop).ask(clinic.model))
    asker = HttpAsker(clinic.tokenizer, items, info.max_new_tokens, info.stop)
    with Server(path, Flags(asker.room, threads=1)) as server:
        assert asker.verify(server.client) == 0
        there = by_row(asker.ask(lambda room: server.client))
        assert by_row(asker.ask(lambda room: server.client, {3, 4})).keys() == {3, 4}
    for row, answer in here.items():
        assert (there[row].text, there[row].stopped) == (answer.text, answer.stopped)
        assert there[row].tokens == answer.tokens
        assert there[row].option_scores == pytest.approx(answer.option_scores, abs=0.03)
    assert asker.notes() == []


def test_server_that_dies_is_started_again_and_nothing_is_lost(clinic, path):
    items, info = questions("clinic-medicine", 12)
    asker = HttpAsker(clinic.tokenizer, items, info.max_new_tokens, info.stop, slots=1)
    servers = []

    def connect(room):
        servers.append(Server(path, Flags(room, slots=1, threads=1)))
        return servers[-1].client

    answers = {}
    for batch in asker.ask(connect):
        answers[batch.rows[0]] = batch.answers[0]
        if len(answers) == 3:
            os.kill(servers[0].pid, signal.SIGKILL)
    assert sorted(answers) == list(range(12))
    assert len(servers) == 2
    servers[1].close()


def test_server_ends_with_the_process_that_started_it(path):
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom resect.deploy.server import *\n"
        f"held = Server(Path({str(path)!r}), Flags(64, slots=1, threads=1))\n"
        "print(held.pid, flush=True)\ntime.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.wait()
    until = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()


def test_server_answers_nobody_else(path):
    with Server(path, Flags(64, slots=1, threads=1)) as server:
        assert "127.0.0.1" in server.client.address
        with pytest.raises(RunError, match=r"(?i)key"):
            Client(server.client.address).post("/completion", {"prompt": [5], "n_predict": 1})


def test_file_that_llama_cpp_does_not_know_is_one_sentence(path, tmp_path):
    odd = tmp_path / "odd.gguf"
    odd.write_bytes(path.read_bytes().replace(b"llama", b"xlama", 1))
    with pytest.raises(RunError, match="unknown model architecture: 'xlama'"):
        Server(odd, Flags(64, slots=1, threads=1))


def test_eval_at_an_address_is_a_study(path, clinic, tmp_path, monkeypatch):
    from resect import api

    with Server(path, Flags(256, slots=2, threads=1)) as server:
        monkeypatch.setenv(KEY, server.client._key)
        served = endpoint.at(server.client.address).about.id
        study = request.evaluation(
            server.client.address, ["clinic-medicine"], "auto", False, {"limit": 10}, served
        )
        run = api.run(study, out=tmp_path / "run")
        assert run.failed() is None
        summary = json.loads((tmp_path / "run" / "summary.json").read_text())
        assert {row["view"] for row in summary["curves"]} == {"text", "options"}
        assert summary["measurements"][0]["bits_per_weight"] == pytest.approx(16.1, abs=0.2)
        stored = b"".join(p.read_bytes() for p in (tmp_path / "run").iterdir() if p.is_file())
        assert server.client._key.encode() not in stored
        with pytest.raises(RequestError, match="does not serve other"):
            endpoint.at(server.client.address, "other")
        wants = Study.of(
            name="cut", models={"model": server.client.address}, recipes=["magnitude:0.5"],
            tasks=["clinic-medicine"], limit=2,
        )  # fmt: skip
        with pytest.raises(RequestError, match="needs the weights"):
            resolve.resolve(wants)
    with Server(path, Flags(32, slots=1, threads=1)) as server:
        monkeypatch.setenv(KEY, server.client._key)
        small = endpoint.at(server.client.address)
        assert small.connect(small.room) is small.client
        with pytest.raises(RequestError, match="larger --ctx-size"):
            small.connect(small.room + 1)


class Other(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_wrong_addresses_are_one_sentence(monkeypatch):
    with pytest.raises(RequestError, match="no address"):
        endpoint.at("localhost:8080")
    monkeypatch.setattr(endpoint, "_WAITS", ())
    with pytest.raises(RequestError, match="check the address"):
        endpoint.at("http://127.0.0.1:9")
    other = HTTPServer(("127.0.0.1", 0), Other)
    Thread(target=other.serve_forever, daemon=True).start()
    with pytest.raises(RequestError, match="no server that can be asked"):
        endpoint.at(f"http://127.0.0.1:{other.server_port}")
    other.shutdown()
    other.server_close()
    with pytest.raises(Gone):
        Client(f"http://127.0.0.1:{other.server_port}").get("/props")
