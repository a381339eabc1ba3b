"""Tasks of lm-evaluation-harness, asked with its own prompts: `lm-eval:<task>` or a YAML file.

Multiple choice becomes labels with its choices as continuations, so that the options view is the
harness's `acc`. Of generate_until only tasks whose answers are a few labels can be read here.

A YAML file is code: it names functions to call, and its templates are not sandboxed. It is loaded
only if code is allowed; a name is looked up among the tasks that come with the harness.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from string import ascii_uppercase
from typing import Any, ClassVar

from resect.errors import RequestError, unknown
from resect.record import Item, Reading, Stopped, TaskInfo
from resect.tasks.contract import Source, described
from resect.tasks.prompts import Turn
from resect.tasks.question import length
from resect.tasks.readers import Label

_SEED = 1234  # the harness's own for worked examples, shifted by ours
_TAGS = ("subject", "category", "topic")
_MOST = 10  # answers that a generate_until task may have to be read as labels
_WORDS = 3


class Harness:
    """One task of the harness. Its data is loaded when items or info are asked for."""

    about: ClassVar = TaskInfo(
        name="lm-eval:<task>",
        kind="label",
        labels=(),
        summary="a task of lm-evaluation-harness by name, or a YAML file of yours",
        protocol="prompts, choices and split of lm-evaluation-harness",
        max_new_tokens=32,
        scored="text",
    )
    reader = Label()

    def __init__(self, name: str) -> None:
        self.name = name
        self.file = Path(name).expanduser() if is_file(name) else None

    @cached_property
    def task(self) -> Any:
        """The task object of the harness with its data; `RequestError` if it cannot be loaded."""
        manager = _manager(self.name, self.file)
        if self.file is None and self.name not in manager.task_index:  # else it would open a file
            raise unknown("lm-eval task", self.name, manager.all_subtasks)
        try:
            tasks = manager.load([self.name if self.file is None else str(self.file)])["tasks"]
        except Exception as error:  # a task's data or its own code may fail in any way
            raise RequestError(
                f"lm-eval:{self.name} cannot be loaded ({type(error).__name__}: {error})."
            ) from None
        if len(tasks) != 1:
            some = ", ".join(f"lm-eval:{name}" for name in islice(tasks, 2))
            raise RequestError(
                f"lm-eval:{self.name} is a group of {len(tasks)} tasks: name single tasks, like "
                f"{some}."
            )
        task = next(iter(tasks.values()))
        _check(task, self.name)
        return task

    @cached_property
    def _own_shots(self) -> int | None:
        """How many worked examples the config asks for, before `items` sets what is asked."""
        shots: int | None = self.task.get_config("num_fewshot")
        return shots

    @cached_property
    def labels(self) -> tuple[str, ...] | None:
        """Answers that are the same in every document and short, else None."""
        if self.task.OUTPUT_TYPE == "generate_until":
            return self._targets()
        docs = self.task.eval_docs
        sets = {tuple(map(str, self.task.doc_to_choice(doc))) for doc in docs}
        first = next(iter(sets))
        short = all(len(text.split()) <= _WORDS for text in first)
        return first if len(sets) == 1 and short and len(set(first)) == len(first) else None

    @cached_property
    def info(self) -> TaskInfo:
        """What the task is, without few-shots and form."""
        config, task = self.task.config, self.task
        letters = self.labels is not None and all(len(label) == 1 for label in self.labels)
        widest = max(len(task.doc_to_choice(d)) for d in task.eval_docs) if not self.labels else 0
        return replace(
            self.about,
            name=f"lm-eval:{self.name}",
            labels=self.labels or tuple(ascii_uppercase[:widest]),
            summary=f"{config.task} of lm-evaluation-harness, {len(task.eval_docs)} documents",
            protocol=f"task {config.task} of lm-evaluation-harness "
            f"(version {task.VERSION}), its {config.test_split or config.validation_split} split, "
            "prompts and choices",
            scored="letter" if letters else "text",
            positive="yes" if "yes" in (self.labels or ()) else None,
            file=self.file.name if self.file else None,
            **self._decoding(letters),
            **self._data(),
        )

    def _decoding(self, letters: bool) -> dict[str, Any]:
        """How long an answer may be and what ends it: as the task asks, else by its labels."""
        asked = self.task.config.generation_kwargs or {}
        stop = asked.get("until") or ()
        budget = 5 if letters else self.about.max_new_tokens
        if self.task.OUTPUT_TYPE == "generate_until":
            budget = int(asked.get("max_gen_toks", 256))
        return {"max_new_tokens": budget, "stop": (stop,) if isinstance(stop, str) else tuple(stop)}

    def _data(self) -> dict[str, Any]:
        """The data set on the hub and its revision; none where the data is local."""
        config = self.task.config
        options = config.dataset_kwargs or {}
        local = "data_files" in options or Path(config.dataset_path or "").exists()
        return {"hub": None if local else config.dataset_path, "revision": options.get("revision")}

    def describe(self, source: Source) -> TaskInfo:
        """`info` with few-shots, form and decoding."""
        scored = "" if self.task.OUTPUT_TYPE == "generate_until" else _SCORED
        shots = self._shots(source)
        info = replace(self.info, reader=self.reader.name)
        return described(info, source, shots, "as the harness draws them", scored)

    def items(self, source: Source) -> list[Item]:
        """The first documents as items, in the harness's order."""
        self.task.set_config(key="num_fewshot", value=self._shots(source))
        self.task.set_fewshot_seed(seed=_SEED + source.seed)
        return list(self._items(source))

    def read(self, text: str, item: Item, stopped: Stopped = None) -> Reading:
        """As any label task."""
        return self.reader.read(text, item, stopped)

    def training(self, source: Source) -> Iterator[str]:
        """None: each task of the harness separates examples and items in its own way."""
        raise RequestError(f"lm-eval:{self.name} has no training texts: name a text file instead.")

    def _items(self, source: Source) -> Iterator[Item]:
        for number, doc in enumerate(islice(self.task.eval_docs, source.limit)):
            prompt, turns = self._context(doc, source)
            choices = self._choices(doc, prompt, source)
            bare = prompt.rstrip(" ") if choices else prompt
            blank = prompt[len(bare) :]
            labels, options = self._labelled(doc)
            gold, means = self._gold(doc, labels)
            text = self.task.doc_to_text(doc)
            yield Item(
                id=f"{self.name}/{number}",
                prompt=bare,
                gold=gold,
                labels=labels,
                choices=tuple(blank + choice for choice in choices),
                options=options,
                question=text if isinstance(text, str) else "",
                tags={
                    "length": length(str(text)),
                    **{name: doc[name] for name in _TAGS if isinstance(doc.get(name), str)},
                },
                means=means,
                turns=turns,
            )

    def _shots(self, source: Source) -> int:
        """Worked examples: a task that fixes none keeps to it, as in the harness."""
        own = self._own_shots
        asked = own if own == 0 or source.num_fewshot is None else source.num_fewshot
        return int(asked or 0)

    def _context(self, doc: Any, source: Source) -> tuple[str, tuple[Turn, ...]]:
        """The harness's prompt, and its turns where a chat template is to render them."""
        asked: dict[str, Any] = {
            "num_fewshot": self._shots(source),
            "system_instruction": source.system_instruction,
            "gen_prefix": self.task.doc_to_prefix(doc),
        }
        turns: tuple[Turn, ...] = ()
        if source.apply_chat_template:
            rendered = self.task.fewshot_context(
                doc,
                apply_chat_template=True,
                fewshot_as_multiturn=True,
                chat_template=lambda turns, **_: json.dumps(turns),
                **asked,
            )
            turns = tuple((turn["role"], turn["content"]) for turn in json.loads(rendered))
            self.task.set_fewshot_seed(seed=_SEED + source.seed)
        return str(self.task.fewshot_context(doc, **asked)), turns

    def _choices(self, doc: Any, prompt: str, source: Source) -> tuple[str, ...]:
        if self.task.OUTPUT_TYPE == "generate_until":
            return ()
        asked = self.task.construct_requests(
            doc=doc,
            ctx=prompt,
            metadata=(self.name, 0, 1),
            apply_chat_template=source.apply_chat_template,
        )
        return tuple(request.args[1] for request in asked if request.args[0] == prompt)

    def _labelled(self, doc: Any) -> tuple[tuple[str, ...], dict[str, str] | None]:
        if self.labels is not None:
            return self.labels, None
        texts = [str(text).strip() for text in self.task.doc_to_choice(doc)]
        labels = tuple(ascii_uppercase[: len(texts)])
        return labels, dict(zip(labels, texts, strict=True))

    def _gold(self, doc: Any, labels: Sequence[str]) -> tuple[str, Mapping[str, str]]:
        """The right label, and what other right ones mean."""
        target = self.task.doc_to_target(doc)
        if self.task.OUTPUT_TYPE == "generate_until":
            return _text(target), {}
        texts = list(map(str, self.task.doc_to_choice(doc)))
        right = target if isinstance(target, list) else [target]
        places = [texts.index(x) if isinstance(x, str) else int(x) for x in right]
        golds = [labels[place] for place in places]
        return golds[0], dict.fromkeys(golds[1:], golds[0])

    def _targets(self) -> tuple[str, ...]:
        """The answers of a generate_until task, if they are few and short."""
        targets = [_text(self.task.doc_to_target(doc)) for doc in self.task.eval_docs]
        labels = tuple(dict.fromkeys(targets))
        short = all(0 < len(label.split()) <= _WORDS for label in labels)
        if not 2 <= len(labels) <= _MOST or not short or len(labels) == len(targets):
            raise RequestError(
                f"lm-eval:{self.name} asks for free text: only multiple_choice tasks, and "
                f"generate_until tasks with 2 to {_MOST} different short answers, are supported."
            )
        return labels


_SCORED = "; options view: log-likelihood of the choices, the harness's acc"


def is_file(name: str) -> bool:
    """Whether a task's name stands for a YAML file."""
    return Path(name).suffix.lower() in (".yaml", ".yml")


def _manager(name: str, file: Path | None) -> Any:
    """The harness's task manager, of its own tasks or of those beside a YAML file."""
    try:
        from lm_eval.tasks import TaskManager  # heavy, and only for its own tasks
    except ImportError:
        raise RequestError(
            f"lm-eval:{name} needs lm-evaluation-harness: pip install 'resect[harness]'."
        ) from None
    if file is None:
        return _index(TaskManager)
    if not file.is_file():
        raise RequestError(f"there is no task file {file}: check the path.")
    return TaskManager(include_path=str(file.parent), include_defaults=False)


@cache
def _index(manager: Any) -> Any:
    """The manager of all tasks that come with the harness; reading their files takes seconds."""
    return manager()


def _check(task: Any, name: str) -> None:
    """Raise `RequestError` for a task that is not supported."""
    kind = task.OUTPUT_TYPE
    if kind not in ("multiple_choice", "generate_until"):
        raise RequestError(
            f"lm-eval:{name} is a {kind} task: only multiple_choice and generate_until are "
            "supported."
        )
    if getattr(task, "multiple_input", 0):
        raise RequestError(
            f"lm-eval:{name} has one prompt for each choice, which is not supported."
        )
    if callable(task.config.process_results):
        raise RequestError(
            f"lm-eval:{name} scores answers with its own code: only accuracy is supported."
        )


def _text(target: Any) -> str:
    return str(target[0] if isinstance(target, list) else target).strip()
