"""Without a network a hub id that is not in the cache is refused at once: retries took 23 s."""

from __future__ import annotations

import socket
import time

import pytest

from resect import network
from resect.errors import RequestError


@pytest.fixture
def endpoint(monkeypatch):
    """Sets where the hub is, with its libraries online."""
    import datasets
    import huggingface_hub.constants

    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    for module in (huggingface_hub.constants, datasets.config):
        monkeypatch.setattr(module, "HF_HUB_OFFLINE", False)
    network.hub_is_reachable.cache_clear()
    yield lambda port: monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{port}")
    network.hub_is_reachable.cache_clear()


def closed_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def test_a_hub_that_listens_is_reachable(endpoint):
    with socket.create_server(("127.0.0.1", 0)) as server:
        endpoint(server.getsockname()[1])
        assert network.hub_is_reachable()


def test_a_proxy_is_asked_instead_of_the_hub(endpoint, monkeypatch):
    endpoint(closed_port())
    monkeypatch.setenv("no_proxy", "")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{server.getsockname()[1]}")
        assert network.hub_is_reachable()


def test_a_name_server_that_never_answers_costs_two_seconds(endpoint, monkeypatch):
    endpoint(1)
    monkeypatch.setattr(network, "WAIT", 0.2)

    def never(*_, **__):
        time.sleep(5)
        raise OSError

    monkeypatch.setattr(socket, "create_connection", never)
    started = time.monotonic()
    assert not network.hub_is_reachable()
    assert time.monotonic() - started < 2


def test_a_missing_model_is_refused_at_once(endpoint, capsys):
    from resect.models import loading
    from resect.spec import ModelRef

    endpoint(closed_port())
    started = time.monotonic()
    with pytest.raises(RequestError, match="nosuch/model is neither a local directory nor"):
        loading.check(ModelRef(id="nosuch/model", role="base"))
    assert time.monotonic() - started < 10
    assert "Retry" not in capsys.readouterr().err


def test_a_missing_dataset_is_refused_at_once(endpoint):
    from resect.tasks import hub

    endpoint(closed_port())
    started = time.monotonic()
    with pytest.raises(RequestError, match="dataset nosuch/set cannot be downloaded"):
        list(hub.rows("nosuch/set", None, "test"))
    assert time.monotonic() - started < 10
