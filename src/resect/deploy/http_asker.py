"""Items to raw answers over HTTP: exact option log-probabilities and greedy texts of llama.cpp.

A server tells the log-probability of a token that it samples, as it is before any bias: so each
token of an option is asked for with a bias that no other token has. The prompt stays in the slot's
cache, and only what is new is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any

from transformers import PreTrainedTokenizerBase

from resect.ask import Batch
from resect.ask.likely_tokens import COUNT, PLACES
from resect.ask.tokenize import Prompt, notes_on, rendered, tokenize
from resect.deploy import replies
from resect.deploy.http_client import Client, Gone
from resect.deploy.replies import Completion
from resect.deploy.side_by_side import answered
from resect.errors import RunError
from resect.record import Item, Likely, RawAnswer, Stopped

_BIAS = 1000.0
_STOPPED: dict[str, Stopped] = {"eos": "eos", "word": "stop", "limit": "length"}

Connect = Callable[[int], Client]
"""A client of a server whose slots have room for so many tokens; a new one where one is gone."""


class HttpAsker:
    """Asks one set of items of whatever server `connect` gives, item by item over its slots.

    The contract is that of `resect.ask.Asker`: tokens are the model's own tokenizer's, texts are
    cut at the first of `stop`.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        items: Sequence[Item],
        max_new_tokens: int,
        stop: Sequence[str] = (),
        positions: int | None = None,
        slots: int = 4,
    ) -> None:
        self.tokenizer, self.stop, self.slots = tokenizer, tuple(stop), slots
        self.limit = max_new_tokens
        self.items = items
        self.prompts = tokenize(tokenizer, items, max_new_tokens, positions)
        self.room = max((self._tokens(prompt) for prompt in self.prompts), default=1) + 1
        self.other_ids = 0
        self.places: Sequence[int] = PLACES
        """Where in a prompt the likeliest tokens are asked for; 0, its end, is among them."""
        self._verified = ""

    def notes(self) -> list[str]:
        """What was done otherwise than asked: makes a cell degraded, resumed or not."""
        other = f"{self.other_ids} prompts have other tokens in the file's own tokenizer"
        return notes_on(self.prompts) + [other] * (self.other_ids > 0)

    def verify(self, client: Client) -> int:
        """How many prompts the server's own tokenizer splits otherwise; remembered for `notes`.

        A server is asked once.
        """
        if client.address == self._verified:
            return self.other_ids
        self._verified = client.address
        whole = [(i, p) for i, p in zip(self.items, self.prompts, strict=True) if not p.cut]
        self.other_ids = sum(
            replies.read(
                replies.Tokens,
                client.post(
                    "/tokenize",
                    {"content": rendered(self.tokenizer, item), "add_special": not item.turns},
                ),
                client.address,
                "/tokenize",
            ).tokens
            != prompt.ids
            for item, prompt in whole
        )
        return self.other_ids

    def ask(self, connect: Connect, wanted: set[int] | None = None) -> Iterator[Batch]:
        """Answers one by one, as they come; a server that is gone is started once more.

        Raises `RunError` where it does not come back, or its output is not a number.
        """
        left = sorted(range(len(self.prompts)) if wanted is None else wanted)
        try:
            for batch in self._ask(connect(self.room), left):
                left.remove(batch.rows[0])
                yield batch
        except Gone:
            yield from self._ask(connect(self.room), left[:])

    def _ask(self, client: Client, rows: list[int]) -> Iterator[Batch]:
        free: SimpleQueue[int] = SimpleQueue()
        for slot in range(self.slots):
            free.put(slot)

        def work(row: int) -> Batch:
            slot = free.get()
            try:
                return Batch([row], [self._answer(client, self.prompts[row], slot)])
            finally:
                free.put(slot)

        yield from answered(rows, self.slots, work)

    def _answer(self, client: Client, prompt: Prompt, slot: int) -> RawAnswer:
        likely = self._likely(client, prompt.ids, slot)
        text, stopped, count = self._text(client, prompt, slot)
        scores = self._scores(client, prompt, slot, likely[-1])
        if self.limit == 0:
            count = sum(map(len, prompt.choices))
        return RawAnswer(text, stopped, count, scores, likely)

    def _likely(self, client: Client, ids: list[int], slot: int) -> tuple[Likely, ...]:
        """The likeliest tokens at places of the prompt, each read on from the last, then at its
        end.
        """
        places = []
        for back in (back for back in self.places if back < len(ids)):
            begun = ids[: len(ids) - back]
            told = self._complete(client, begun, slot, n_predict=1, n_probs=COUNT)
            first = next(iter(told.completion_probabilities), None)
            if first is None or not first.top_logprobs:
                raise RunError("the server tells no log-probabilities of the likeliest tokens")
            pairs = [(top.id, top.logprob) for top in first.top_logprobs]
            places.append(Likely(back, *map(tuple, zip(*pairs, strict=True))))
        return tuple(places)

    def _text(self, client: Client, prompt: Prompt, slot: int) -> tuple[str, Stopped, int]:
        """What `generate(do_sample=False)` would write, cut at the first stop string."""
        if self.limit == 0:
            return "", None, 0
        told = self._complete(
            client, prompt.ids, slot, n_predict=self.limit, stop=list(self.stop), return_tokens=True
        )
        ids = told.tokens
        if len(ids) > self.limit + 1:
            raise RunError(f"the server wrote {len(ids)} tokens, and {self.limit} were asked for")
        text = str(self.tokenizer.decode(ids, skip_special_tokens=True))
        stopped = _STOPPED.get(told.stop_type or "")
        cuts = [text.index(stop) for stop in self.stop if stop in text]
        return (text[: min(cuts)], "stop", len(ids)) if cuts else (text, stopped, len(ids))

    def _scores(
        self, client: Client, prompt: Prompt, slot: int, first: Likely
    ) -> tuple[float, ...] | None:
        """The sum of log-probabilities of each choice's tokens; beginnings are asked once.

        What is among the likeliest `first` tokens is known.
        """
        known: dict[tuple[int, ...], float] = {
            (token,): log for token, log in zip(first.ids, first.logs, strict=True)
        }
        for choice in sorted(prompt.choices):
            for end in range(1, len(choice) + 1):
                begun = tuple(choice[:end])
                if begun not in known:
                    known[begun] = self._log_probability(client, prompt.ids, begun, slot)
        ends = [[tuple(c[:end]) for end in range(1, len(c) + 1)] for c in prompt.choices]
        return tuple(sum(known[begun] for begun in each) for each in ends) or None

    def _log_probability(
        self, client: Client, ids: list[int], begun: tuple[int, ...], slot: int
    ) -> float:
        """Of the last token of `begun`, after the prompt and the tokens before it."""
        *before, token = begun
        told = self._complete(
            client, [*ids, *before], slot, n_predict=1, n_probs=1, logit_bias=[[token, _BIAS]]
        )
        first = next(iter(told.completion_probabilities), None)
        value = None if first is None or first.id != token else first.logprob
        if value is None or value != value:
            raise RunError("the server's output is not a number")
        return value

    def _complete(self, client: Client, ids: list[int], slot: int, **fields: Any) -> Completion:
        asked = {"prompt": ids, "temperature": 0, "cache_prompt": True, "id_slot": slot, **fields}
        reply = client.post("/completion", asked)
        told = replies.read(Completion, reply, client.address, "/completion")
        if told.truncated:
            raise RunError(
                f"the server cut a prompt of {len(ids)} tokens: its context is too small"
            )
        return told

    def _tokens(self, prompt: Prompt) -> int:
        """The most tokens that stand in a slot for one prompt."""
        return len(prompt.ids) + max(self.limit, *map(len, prompt.choices), 1)
