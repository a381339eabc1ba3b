"""Two devices that are not there: shapes and places are followed, nothing is computed.

Run by test_devices.py in a process of its own, for torch cannot forget a backend. Torch's fake
tensors refuse what real devices would: an operation on tensors of two of them.
"""

from __future__ import annotations

import tiny
import torch
from accelerate import dispatch_model
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend
from transformers import AutoModelForCausalLM, PreTrainedModel

from resect.ask.kv_cache import Rows, filled
from resect.ask.option_scores import _Choice, _continued, _Start
from resect.methods.calibration import calibration_text, capture
from resect.models import devices

PLACES = ("pretend:0", "pretend:1")


class NoData(TorchFunctionMode):
    """`torch.tensor` on a pretended device: empty there, as its data could not be copied."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func is torch.tensor and str(kwargs.get("device")) in PLACES:
            place = kwargs.pop("device")
            real = func(*args, **kwargs)
            return torch.empty(real.shape, dtype=real.dtype, device=place)
        return func(*args, **kwargs)


def spread(family: str) -> PreTrainedModel:
    """A model of two layers, the second and what follows it on the second device."""
    made = AutoModelForCausalLM.from_config(tiny.config(family), dtype=torch.float32).eval()
    places = {"model.embed_tokens": 0, "model.layers.0": 0, "model.rotary_emb": 0}
    places |= {"model.layers.1": 1, "model.norm": 1, "lm_head": 1}
    for name, place in places.items():
        for module in made.get_submodule(name).modules():  # accelerate cannot move fake tensors
            for key, value in list(module._parameters.items()):
                if value is not None:
                    moved = value.detach().to(PLACES[place])
                    module._parameters[key] = nn.Parameter(moved, requires_grad=False)
            for key, value in list(module._buffers.items()):
                if value is not None:
                    module._buffers[key] = value.to(PLACES[place])
    return dispatch_model(made, {name: PLACES[place] for name, place in places.items()})


def main() -> None:
    """Ask and calibrate; print where what comes out lies."""
    _setup_privateuseone_for_python_backend("pretend")
    torch.set_grad_enabled(False)
    with FakeTensorMode(), NoData():
        model = spread("llama")
        print("model", devices.of(model), *map(str, devices.all_of(model)))

        rows = Rows.empty(model, 3)
        last = rows.read(*filled([[3, 4, 5], [6, 7], [8]], left=True))
        print("prefill", last.device)
        print("caches", *(layer.keys.device for layer in rows.cache.layers))
        some = rows.select(torch.tensor([0, 2], device=last.device))
        print("some", some.read(torch.tensor([[9], [9]])).device)
        choices, starts = [_Choice(0, [3, 4]), _Choice(2, [5, 6])], [_Start(0, [3], [0])]
        print("options", _continued(rows, choices, [*starts, _Start(2, [5], [1])], 4).device)
        one = Rows.empty(model, 1)
        one.read(torch.tensor([[3, 4]]))
        print("shared", one.spread(3).read(torch.tensor([[5], [6], [7]])).device)

        text = calibration_text.Tokens(torch.zeros(2, 8, dtype=torch.long))
        turns = capture.blocks_in_turn(model, text, lambda name: True, capture.gram, True)
        print("moments", *(next(iter(turn.gather().values())).total.device for turn in turns))


if __name__ == "__main__":
    main()
