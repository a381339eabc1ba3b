"""`gguf:TYPE`: the model as one GGUF file, asked in llama.cpp. Nothing can follow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from transformers import PreTrainedModel

from resect.deploy import require
from resect.deploy import server as serving
from resect.deploy.deployed import Deployed, put
from resect.errors import RequestError, RunError, unknown
from resect.methods.step import Applied, Context, Method
from resect.models import loading
from resect.models.scratch import Scratch
from resect.record import GGUF_BITS, StepReport
from resect.spec import KvType


class Gguf(Method):
    """`gguf:Q4_K_M`: types and rules are llama.cpp's; the level names the type.

    `imatrix`: `none`, `calibration` (from the study's text, of the model as it comes here) or a
    file of llama.cpp's. `kv`: the type of the cache that the server keeps, the study's where it is
    empty. The model itself stays as it is, so that a sweep needs no copies of it.
    """

    name = "gguf"
    nested = True
    rebuilds = True
    terminal = True
    is_file = True
    library = "libgguf"

    def __init__(self, imatrix: str = "none", kv: str = "") -> None:
        require("gguf", "libgguf")
        if kv and kv not in get_args(KvType):
            raise unknown("kv", kv, get_args(KvType))
        self.imatrix, self.kv = imatrix, kv
        self.calibrated = imatrix == "calibration"

    def sources(self, data_dir: Path | None = None) -> tuple[str, ...]:
        """What serves the file, and the content of the importance matrix."""
        from resect.deploy import imatrix

        names = [" ".join(serving.runtime())]
        if self._file is not None:
            names.append(imatrix.fingerprint(self._file))
        return tuple(names)

    @property
    def _file(self) -> Path | None:
        named = self.imatrix not in ("none", "calibration")
        return Path(self.imatrix).expanduser() if named else None

    def takes(self, level: float) -> None:
        """Every type has its level; some need importances."""
        from resect.deploy import tensor_types

        tensor_types.check(_kind(level), self.imatrix != "none")

    def fits(self, model: PreTrainedModel, levels: Sequence[float]) -> None:
        """llama.cpp must know the family."""
        from resect.deploy import families

        super().fits(model, levels)
        families.of(model.config)

    def prepare(self, model: PreTrainedModel, levels: Sequence[float], context: Context) -> None:
        """Gather importances where the calibration text is to give them."""
        from resect.deploy import imatrix

        self.context_ = context
        self.means_ = None
        if self._file is not None:
            self.means_ = imatrix.read(self._file)
        elif self.calibrated:
            if context.text is None:
                raise RequestError("imatrix=calibration needs a text: give --calibration.")
            sums = imatrix.gather(model, context.text)
            self.means_ = {name: one.means for name, one in sums.items()}

    def apply(self, model: PreTrainedModel, level: float | None = None) -> Applied:
        """Write the file; the model stays, and the file is asked for it."""
        from resect.deploy import gguf_file, gguf_writer

        assert level is not None, "a file has a type"
        kind, runtime = _kind(level), self.context_.runtime
        if self.kv:
            runtime = runtime.model_copy(update={"kv": self.kv})
        tokenizer, source = self.context_.tokenizer, self.context_.source
        assert tokenizer is not None, "a GGUF file holds its tokenizer"
        if source is not None:
            self._refuse_larger(model, loading.check(source).model, kind)
        folder = Scratch("gguf")
        name = (source.name if source else "model").replace("/", "-")
        path = folder.path / f"{name}-{kind}.gguf"
        origin = {"source": source.id} if source else {}
        if self.means_ is not None:
            origin["imatrix"] = self.imatrix
        written = gguf_writer.write(model, tokenizer, path, kind, self.means_, origin)
        for note in written.notes:
            self.context_.notice(note)
        threads = 1 if model.num_parameters() < _SMALL else -1
        put(model, Deployed(folder, path, runtime, threads))
        return Applied(model, self.report(gguf_file.read(path)))

    def _refuse_larger(self, model: PreTrainedModel, intact: PreTrainedModel, kind: str) -> None:
        """Raise `RunError` where a model that was cut makes a larger file than the intact one."""
        from resect.deploy import gguf_writer

        if model.num_parameters() >= intact.num_parameters():
            return
        weighed = self.means_ is not None
        own, whole = (gguf_writer.planned(each, kind, weighed) for each in (model, intact))
        if own > whole:
            raise RunError(
                f"the {kind} file of the cut model would be larger ({own:,} bytes of weights, "
                f"intact {whole:,}): its rows are no multiple of 256 any more. Cut with "
                "multiple_of=256, or fewer parts."
            )

    def report(self, file: Any) -> StepReport:
        """Bits per targeted weight as stored, and which tensors fell back."""
        if not file.targeted:
            raise RunError(f"{file.path.name} holds no matrices.")
        share = len(file.fell_back) / len(file.tensors)
        scope = f"{file.bytes_on_disk:,} bytes, {file.bits_per_weight:.2f} bits a weight in all"
        if file.fell_back:
            scope += (
                f"; {len(file.fell_back)} of {len(file.tensors)} tensors fell back ({share:.0%})"
            )
            scope += ", as their rows are no multiple of 256"
        return StepReport(
            step=f"gguf:{file.kind}",
            asked=GGUF_BITS[file.kind],
            measured=8 * file.targeted_bytes / file.targeted,
            targeted=file.targeted,
            gone=0,
            scope=scope,
            physical=True,
        )


_SMALL = 20_000_000  # parameters below which one thread serves as fast as many


def _kind(level: float) -> str:
    """The type that a level stands for; raises `RequestError` for one that is none's."""
    for kind, bits in GGUF_BITS.items():
        if bits == level:
            return kind
    raise RequestError(
        f"no GGUF type has the level {level:g}: name types, like {', '.join(list(GGUF_BITS)[1:5])}."
    )
