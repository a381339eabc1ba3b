"""Items to raw answers through OpenAI's completions: greedy texts, and options by echoed prompts.

A continuation is scored as in lm-evaluation-harness: its tokens are those that come after as many
as the prompt alone has. Tokens are the server's own and are never seen here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from resect.ask import Batch
from resect.deploy.http_client import Client
from resect.deploy.openai_endpoint import ROUTE, completed, echoed
from resect.deploy.replies import Logs, TextCompletion
from resect.deploy.side_by_side import answered
from resect.errors import RequestError, RunError
from resect.record import Item, RawAnswer, Stopped, TaskInfo

if TYPE_CHECKING:
    from resect.deploy.openai_endpoint import OpenAiEndpoint

_CHAT = "/v1/chat/completions"


class _Echo(NamedTuple):
    """A text's tokens and their log-probabilities, without what was written after it."""

    tokens: list[str]
    logs: list[float | None]


class OpenAiAsker:
    """Asks one set of items of a server; the contract is that of `resect.ask.Asker`."""

    def __init__(self, server: OpenAiEndpoint, items: Sequence[Item], info: TaskInfo) -> None:
        self.server, self.items = server, items
        self.limit, self.stop = info.max_new_tokens, tuple(info.stop)
        self.scored = server.tells and any(item.choices and not item.turns for item in items)
        self.unscored = not self.scored and any(item.choices for item in items)
        if self.unscored and self.limit == 0:
            raise RequestError(
                f"the server at {server.client.address} tells no log-probabilities of a prompt, so "
                f"{info.name} cannot be asked there: use llama-server or vLLM."
            )
        self.merged = 0

    @property
    def room(self) -> int:
        """Tokens of the longest prompt and its answer, counted by the server."""
        texts = [_shown(item) + max(item.choices, key=len, default="") for item in self.items]
        if self.server.room is None or not texts:
            return 1
        return self.server.count(max(texts, key=len)) + max(self.limit, 1)

    def notes(self) -> list[str]:
        """What was done otherwise than asked: makes a cell degraded."""
        notes = []
        if self.unscored:
            notes.append("the server tells no log-probabilities of a prompt: texts only")
        if self.server.room is None:
            notes.append("the server does not say how long its context is")
        if self.merged:
            notes.append(f"in {self.merged} prompts an option changes the tokens before it")
        return notes

    def verify(self, client: Client) -> int:
        """Nothing: the tokens are the server's own."""
        return 0

    def ask(
        self, connect: Callable[[int], Client], wanted: set[int] | None = None
    ) -> Iterator[Batch]:
        """Answers one by one, as they come. Raises `RunError` where the server fails."""
        client = connect(1)
        rows = sorted(range(len(self.items)) if wanted is None else wanted)

        def work(row: int) -> Batch:
            return Batch([row], [self._answer(client, self.items[row])])

        yield from answered(rows, self.server.slots, work)

    def _answer(self, client: Client, item: Item) -> RawAnswer:
        scores = None
        if self.scored and item.choices and not item.turns:
            scores = self._scores(client, item)
        if self.limit == 0:
            return RawAnswer("", None, 0, scores)
        fields: dict[str, Any] = {"max_tokens": self.limit, "temperature": 0}
        if self.stop:
            fields["stop"] = list(self.stop)
        if item.turns:
            turns = [{"role": role, "content": text} for role, text in item.turns]
            completion = self._post(client, _CHAT, {**fields, "messages": turns})
        else:
            completion = self._post(client, ROUTE, {**fields, "prompt": item.prompt})
        return RawAnswer(*self._cut(completion), scores)

    def _cut(self, completion: TextCompletion) -> tuple[str, Stopped, int]:
        """The text up to the first stop string, why it ended, and its tokens."""
        choice, count = completion.first, completion.usage.completion_tokens
        text = choice.written
        cuts = [text.index(stop) for stop in self.stop if stop in text]
        if cuts:
            return text[: min(cuts)], "stop", count
        if choice.finish_reason == "length":
            return text, "length", count
        return text, "stop" if isinstance(choice.stop_reason, str) else "eos", count

    def _scores(self, client: Client, item: Item) -> tuple[float, ...]:
        """The sum of log-probabilities of each choice's tokens."""
        prompt = self._echo(client, item.prompt)
        count, scores, merged = len(prompt.tokens), [], False
        for choice in item.choices:
            whole = self._echo(client, item.prompt + choice)
            logs = whole.logs[count:]
            if not logs or any(log is None or log != log for log in logs):
                raise RunError(f"the server tells no log-probabilities of the options of {item.id}")
            merged = merged or whole.tokens[:count] != prompt.tokens
            scores.append(sum(log for log in logs if log is not None))
        self.merged += merged
        return tuple(scores)

    def _echo(self, client: Client, text: str) -> _Echo:
        completion = self._post(client, ROUTE, echoed(self.server.served, text))
        count, logs = completion.usage.prompt_tokens, completion.first.logprobs or Logs()
        return _Echo(logs.tokens[:count], logs.token_logprobs[:count])

    def _post(self, client: Client, route: str, fields: dict[str, Any]) -> TextCompletion:
        """The answer of a route; raises `RunError` where it is none of OpenAI's."""
        return completed(client, route, {"model": self.server.served, **fields})


def _shown(item: Item) -> str:
    return "\n".join(text for _, text in item.turns) if item.turns else item.prompt
