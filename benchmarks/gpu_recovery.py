"""QLoRA on a random-weight Mistral-7B on a GPU: steps a second and peak memory, beside plain peft.

python benchmarks/gpu_recovery.py [--json] [--quick]

The peer is peft and transformers' Trainer as their documentation shows them, with the same 4-bit
model, rank, batch, lengths and number of steps, in the same run. `ratio` is ours in steps a second
over the peer's.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import _machine as machine
import torch
from transformers import AutoModelForCausalLM, MistralConfig, Trainer, TrainingArguments

from resect import methods
from resect.methods.step import Context
from resect.recover import trainer as training
from resect.recover.training_data import Row, collate
from resect.spec import Step

PEER = "peft.get_peft_model and transformers.Trainer, same 4-bit model, rank, batch and length"
RANK, BATCH, LENGTH = 16, 4, 512


def rows(count: int) -> list[Row]:
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(3, 32000, (count, LENGTH), generator=generator).tolist()
    return [Row(row, [-100] * (LENGTH // 2) + row[LENGTH // 2 :]) for row in ids]


def four_bits(blocks: int) -> Any:
    torch.manual_seed(0)
    config = MistralConfig(num_hidden_layers=blocks, num_key_value_heads=8)
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).eval()
    return methods.make(Step.parse("bnb-nf4")).apply(model, None).model


def timed(work: Any) -> tuple[float, float]:
    """(seconds, peak GB on the device)."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    started = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - started, torch.cuda.max_memory_allocated() / 1e9


def ours(model: Any, data: list[Row], steps: int, folder: Path) -> None:
    method = methods.make(Step.parse(f"lora,data=clinic,rank={RANK},steps={steps},held_out=0,"
                                     f"batch_size={BATCH},checkpointing=true"))  # fmt: skip
    method.rows_, method.held_, method.pad_ = data, [], 0
    method.context_, method.folder = Context(), folder
    method.apply(model, None)


def plain(model: Any, data: list[Row], steps: int, folder: Path) -> None:
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = LoraConfig(r=RANK, lora_alpha=32, target_modules=targets, task_type="CAUSAL_LM")
    tuned = get_peft_model(prepare_model_for_kbit_training(model), config)
    asked = TrainingArguments(
        output_dir=str(folder), max_steps=steps, per_device_train_batch_size=BATCH,
        learning_rate=2e-4, bf16=True, report_to=[], disable_tqdm=True, save_strategy="no",
        remove_unused_columns=False, gradient_checkpointing=True,
    )  # fmt: skip
    Trainer(
        model=tuned, args=asked, train_dataset=training._Rows(data),
        data_collator=lambda batch: collate(batch, 0),
    ).train()  # fmt: skip


def main() -> None:
    asked = machine.arguments(__doc__)
    if machine.lacks_cuda("gpu_recovery", PEER, asked.json):
        return
    blocks, steps = (2, 4) if asked.quick else (32, 30)
    data, found = rows(BATCH * steps), {}
    for name, work in (("plain", plain), ("ours", ours)):
        model = four_bits(blocks)
        with tempfile.TemporaryDirectory() as folder:
            work(model, data, 2, Path(folder) / "warm")  # kernels and allocator
            model = four_bits(blocks)
            seconds, peak = timed(
                lambda work=work, model=model: work(model, data, steps, Path(folder) / "run")
            )
        found[name] = {"steps_per_second": steps / seconds, "peak_gigabytes": round(peak, 2)}
        del model
        torch.cuda.empty_cache()
    ratio = found["ours"]["steps_per_second"] / found["plain"]["steps_per_second"]
    machine.show(
        {"name": "gpu_recovery", "ratio": round(ratio, 2), "peer": PEER, "blocks": blocks,
         "steps": steps, "batch": BATCH, "length": LENGTH, **found},
        asked.json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
