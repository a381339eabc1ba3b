"""Whether the model hub can be reached, asked once: without a network its caches answer at once."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import sys
import threading
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

WAIT = 2.0
"""Seconds that a connection may take. Name servers may take longer, or never answer."""


def prefer_cache() -> None:
    """Where the hub cannot be reached, let its libraries read their caches alone.

    They would try again five times, with half a minute of pauses. Call it when the libraries that
    are used are imported.
    """
    if not hub_is_reachable():
        for name in ("huggingface_hub.constants", "datasets.config"):
            if module := sys.modules.get(name):
                module.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]


@functools.cache
def hub_is_reachable() -> bool:
    """Whether the hub (`HF_ENDPOINT`), or the proxy on the way to it, takes a connection."""
    url = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    if proxy and not proxy_bypass(url.hostname or ""):
        url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    connected = threading.Event()

    def connect() -> None:
        with contextlib.suppress(OSError, ValueError):
            port = url.port or (443 if url.scheme == "https" else 80)
            socket.create_connection((url.hostname or "", port), timeout=WAIT).close()
            connected.set()

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(WAIT)
    return connected.is_set()
