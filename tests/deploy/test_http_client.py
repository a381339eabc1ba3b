"""The HTTP client: connections are used again, and end with the client."""

from __future__ import annotations

import gc
import warnings
from concurrent.futures import ThreadPoolExecutor

from local_server import JsonHandler, listening

from resect.deploy.http_client import Client


def test_connections_are_used_again_and_closed():
    ports = set()

    class Handler(JsonHandler):
        def do_GET(self) -> None:
            ports.add(self.client_address[1])
            self.tell(200, {"path": self.path})

    with (
        listening(Handler) as address,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always", ResourceWarning)
        client = Client(address)
        for _ in range(3):  # new threads each time, as for every batch of questions
            with ThreadPoolExecutor(2) as pool:
                replies = list(pool.map(client.get, ["/a", "/b", "/c", "/d"]))
            assert [reply["path"] for reply in replies] == ["/a", "/b", "/c", "/d"]
        assert len(ports) <= 2
        client.close()
        assert client.get("/again") == {"path": "/again"}
        del client
        gc.collect()
    assert [str(warning.message) for warning in caught if warning.category is ResourceWarning] == []
