"""A small server with OpenAI's completions over a real model: as vLLM answers, or worse."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lazy import WHEN_RUN
from local_server import JsonHandler, listening

if WHEN_RUN:
    import torch

    from resect.models.loading import Loaded


class Stub:
    """`fails` are statuses that the next requests for completions get (0: the line is cut).

    `wanted` is the key that lists models.

    `context` None is never told; without `echoes` no log-probabilities of prompts are.
    """

    def __init__(self, loaded: Loaded, context: int | None = 512, echoes: bool = True) -> None:
        self.loaded, self.context, self.echoes = loaded, context, echoes
        self.fails: list[int] = []
        self.asked: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.wanted: str | None = None
        self.lock = threading.Lock()
        self.address = ""

    def models(self) -> dict[str, Any]:
        """What is served."""
        told = {} if self.context is None else {"max_model_len": self.context}
        return {"data": [{"id": "clinic", "root": "/models/clinic", **told}]}

    def completion(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A greedy continuation, with the prompt's own log-probabilities where asked for."""
        with torch.inference_mode():
            return self._completion(asked)

    def _completion(self, asked: dict[str, Any]) -> dict[str, Any]:
        tokenizer, model = self.loaded.tokenizer, self.loaded.model
        ids = list(tokenizer(asked["prompt"]).input_ids)
        whole = torch.tensor([ids])
        output = model.generate(
            whole, attention_mask=torch.ones_like(whole), do_sample=False,
            max_new_tokens=asked["max_tokens"], pad_token_id=0,
        )[0].tolist()  # fmt: skip
        new = output[len(ids) :]
        ends = model.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        text = tokenizer.decode(new, skip_special_tokens=True)
        choice: dict[str, Any] = {
            "text": text,
            "finish_reason": "stop" if new[-1] in ends else "length",
            "stop_reason": None,
        }
        for stop in asked.get("stop", ()):
            if stop in choice["text"]:
                choice["text"] = choice["text"][: choice["text"].index(stop)]
                choice |= {"finish_reason": "stop", "stop_reason": stop}
        if asked.get("echo") and self.echoes:
            logs = model(torch.tensor([output])).logits[0].log_softmax(-1)
            each = [None, *(float(logs[at, token]) for at, token in enumerate(output[1:]))]
            choice["logprobs"] = {
                "token_logprobs": each, "tokens": [tokenizer.decode([t]) for t in output],
            }  # fmt: skip
        usage = {"prompt_tokens": len(ids), "completion_tokens": len(new)}
        return {"choices": [choice], "usage": usage}


@contextmanager
def served(stub: Stub) -> Iterator[Stub]:
    """The stub at an address of this machine."""

    class Handler(JsonHandler):
        def do_GET(self) -> None:
            if self.path == "/v1/models" and stub.wanted not in (
                None,
                self.headers["Authorization"],
            ):
                self.tell(401, {"error": "no"})
                return
            routes = {"/v1/models": stub.models(), "/version": {"version": "0.99"}}
            self.tell(200 if self.path in routes else 404, routes.get(self.path, {}))

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stub.keys.add(self.headers.get("Authorization"))
            with stub.lock:
                stub.asked.append(asked)
                fail = stub.fails.pop(0) if stub.fails else None
                if fail == 0:
                    self.close_connection = True
                    return
                if fail is not None:
                    self.tell(fail, {"error": {"message": "not now"}})
                    return
                self.tell(200, stub.completion(asked))

    with listening(Handler) as address:
        stub.address = address
        yield stub
