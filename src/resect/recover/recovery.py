"""What `resect recover` does: write a tuned copy of a model directory, whole or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from resect import methods, tasks
from resect.errors import RequestError
from resect.methods.step import Context
from resect.models import adapters, devices, loading, scratch
from resect.record import digest
from resect.recover.lora import Lora
from resect.recover.trainer import Progress
from resect.recover.tuning import Recover
from resect.spec import ModelRef, Step
from resect.tasks import Source

Notice = Callable[[str], None]


def _tuner(step: Step, seed: int, adapter: bool) -> Recover:
    """The method that a step names; raises `RequestError` where it does not train as requested."""
    if "data" not in methods.options(step.method):
        raise RequestError(f"{step.method} does not train: give lora, finetune or distill.")
    method = methods.make(step, seed)
    assert isinstance(method, Recover)
    if isinstance(method, Lora):
        method.merge = not adapter
    elif adapter:
        raise RequestError(f"{step.method} makes no adapter: leave out --adapter.")
    return method


def kept(out: Path) -> str:
    """What a stopped training of `out` leaves."""
    states = out.parent.glob(f".{out.name}.*.training/checkpoint-*")
    steps = [int(number) for path in states if (number := path.name.rpartition("-")[2]).isdigit()]
    return f"the training up to step {max(steps)} is kept" if steps else "no state was saved yet"


def recover_to(
    ref: ModelRef,
    step: Step,
    data: str,
    out: Path,
    *,
    adapter: bool = False,
    asked: Sequence[str] = (),
    data_dir: Path | None = None,
    device: str = "auto",
    seed: int = 0,
    notice: Notice = lambda _: None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> dict[str, Any]:
    """Write `ref`, tuned by `step` on `data`, to `out`; returns what was done, as a dict.

    `asked` are tasks whose items must not be in the data. `adapter` writes the adapter alone, for
    peft. A killed run continues when it is started again: its states are beside `out` until the
    result is complete. Raises `RequestError` before anything is trained.
    """
    step = step.model_copy(update={"options": {**step.options, "data": data}})
    method = _tuner(step, seed, adapter)
    scratch.refuse_taken(out)
    scratch.sweep(out.parent)
    device = devices.named(device)
    identity, empty = loading.identify(ref, device)
    method.fits(empty.model, [])
    for name in asked:
        method.apart_from(
            tasks.get(name, ref.trust_remote_code).items(Source(data_dir=data_dir)), name
        )
    loaded = loading.load(ref, devices.fitting(device, empty.model), notice)
    method.prepare(loaded.model, [], Context(None, loaded.tokenizer, ref, notice))
    request = digest([identity.fingerprint, str(step), seed, adapter, *method.sources()])
    method.folder = out.parent / f".{out.name}.{request[3:13]}.training"
    method.progress = progress
    states = "the training up to its last saved state is kept"
    with loading.threads(loaded.model), scratch.disk_errors(method.folder, states):
        model, report = method.apply(loaded.model, None)
    done = {
        "resect": version("resect"),
        "source": {"id": ref.id, "revision": ref.revision, "fingerprint": identity.fingerprint},
        "recipe": str(step),
        "seed": seed,
        "steps": [asdict(report)],
    }
    with scratch.whole_folder(out) as folder:
        if adapter:
            model.save_pretrained(folder)
        else:
            adapters.save(model, folder)
        loaded.tokenizer.save_pretrained(folder)
        text = json.dumps(done, indent=2) + "\n"
        (folder / "resect.json").write_text(text, encoding="utf-8")
        if not adapter:
            loading.refuse_unloadable(folder, ref)
    shutil.rmtree(method.folder, ignore_errors=True)
    return done
