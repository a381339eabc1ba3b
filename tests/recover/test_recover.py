"""Tuning back: zeros stay bit by bit, killed runs end alike, test items are refused."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny
from lazy import WHEN_RUN

from resect import methods
from resect.cli import main
from resect.errors import RequestError, RunError
from resect.record import Item
from resect.spec import ModelRef, Recipe, Step

if WHEN_RUN:
    import torch
    from torch.nn.functional import log_softmax, softmax
    from transformers import AutoModelForCausalLM

    from resect import anatomy
    from resect.anatomy import stored
    from resect.methods.step import Context
    from resect.models import loading
    from resect.recover import losses
    from resect.recover import trainer as training
    from resect.recover import training_data as data
    from resect.recover.zeros import keep_zeros_
    from resect.running.standing import apply_all

pytestmark = pytest.mark.slow


FAMILIES = ("mistral", "phi3", "gemma3_text", "mixtral", "qwen3_moe", "gpt_oss")
QUICK = "steps=6,batch_size=2,max_length=64,held_out=0,lr=0.01"


@pytest.fixture(scope="module")
def questions(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "pairs.jsonl"
    rows = [
        {"question": f"What does the invented drug number {i} treat?", "answer": f"ailment {i % 5}"}
        for i in range(40)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def weights(model) -> dict[str, torch.Tensor]:
    return {m.name: m.weight().clone() for m in anatomy.read(model).matrices}


def tuned(model, text, context=None):
    return apply_all(
        model, Recipe.of(steps=text).steps, 0, context or Context(None, tiny.tokenizer())
    )


def masked_layers(model) -> list[str]:
    """Names of the layers whose adapters are masked."""
    from peft import LoraConfig, get_peft_model

    targets = ["up_proj", "down_proj"]
    adapted = get_peft_model(copy.deepcopy(model), LoraConfig(r=2, target_modules=targets))
    keep_zeros_(adapted)
    modules = adapted.get_base_model().named_modules()
    return [name for name, module in modules if "forward" in vars(module)]


class TestZeros:
    @pytest.mark.parametrize("family", FAMILIES)
    @pytest.mark.parametrize("name", ["lora,rank=4", "finetune"])
    def test_zeros_before_are_zeros_after(self, family, name, questions):
        model, _ = tuned(tiny.model(family), "magnitude:0.5")
        before = weights(model)
        model, (report,) = tuned(model, f"{name},data={questions},{QUICK}")
        after = weights(model)
        changed = 0
        for matrix, value in before.items():
            assert torch.equal(value == 0, after[matrix] == 0), matrix
            changed += not torch.equal(value, after[matrix])
        assert changed > len(before) // 2  # an expert that no token was routed to stays
        assert report.notes == ()
        assert report.gone == sum(int((value == 0).sum()) for value in before.values())
        assert report.targeted == sum(value.numel() for value in before.values())
        assert not any(p.requires_grad for p in model.parameters())

    def test_what_is_merged_is_what_was_trained(self, questions):
        from peft import LoraConfig, get_peft_model

        for family in ("llama", "mixtral"):
            pruned, _ = tuned(tiny.model(family), "magnitude:0.5")
            routed = family in tiny.ROUTED
            config = LoraConfig(
                r=4, init_lora_weights=False, target_modules=["q_proj", "down_proj"],
                target_parameters=["mlp.experts.down_proj"] if routed else None,
            )  # fmt: skip
            model = get_peft_model(copy.deepcopy(pruned), config).eval()
            assert keep_zeros_(model) > 0
            ids = torch.arange(3, 30)[None]
            with torch.no_grad():
                apart = model(ids).logits
                whole = model.merge_and_unload()
                assert torch.allclose(whole(ids).logits, apart, atol=1e-4)
                assert not torch.allclose(pruned(ids).logits, apart, atol=1e-2)

    def test_the_masked_delta_is_that_of_the_formula(self):
        from peft import LoraConfig, get_peft_model

        model, _ = tuned(tiny.model("llama"), "magnitude:0.6")
        own = model.model.layers[0].mlp.up_proj.weight.clone()
        config = LoraConfig(r=2, lora_alpha=6, init_lora_weights=False, target_modules=["up_proj"])
        adapted = get_peft_model(model, config)
        keep_zeros_(adapted)
        layer = adapted.base_model.model.model.layers[0].mlp.up_proj
        a, b = (getattr(layer, name)["default"].weight.double() for name in ("lora_A", "lora_B"))
        expected = own.double() + (own != 0) * 3 * (b @ a)
        merged = adapted.merge_and_unload().model.layers[0].mlp.up_proj.weight
        assert torch.allclose(merged.double(), expected, atol=1e-6)

    def test_a_few_zeros_by_chance_are_no_mask(self, questions):
        """They may learn, and that is no fault; those of a pruned matrix beside them may not."""
        model = tiny.model("llama", intermediate_size=1024)
        up, down = model.model.layers[0].mlp.up_proj.weight, model.model.layers[1].mlp.down_proj
        up.data[0, 0] = 0
        for step in ("lora,rank=4", "finetune"):
            trained, (report,) = tuned(copy.deepcopy(model), f"{step},data={questions},{QUICK}")
            assert trained.model.layers[0].mlp.up_proj.weight[0, 0] != 0
            assert report.notes == ()
        assert masked_layers(model) == []
        down.weight.data[:, ::500] = 0
        assert masked_layers(model) == ["model.layers.1.mlp.down_proj"]

    def test_few_zeros_in_a_model_that_has_many_are_masked(self):
        """A threshold over the whole model leaves some matrices with very few zeros."""
        model = tiny.model("llama", intermediate_size=1024)
        model.model.layers[0].mlp.up_proj.weight.data[0, 0] = 0
        model.model.layers[1].mlp.up_proj.weight.data[:100] = 0
        assert len(masked_layers(model)) == 2

    def test_the_masked_product_is_one_product(self):
        from peft import LoraConfig, get_peft_model
        from torch.utils.flop_counter import FlopCounterMode

        pruned, _ = tuned(tiny.model("llama"), "magnitude:0.6")
        x, rank = torch.randn(1, 200, 32), 2
        for dtype, products in ((torch.float32, 1), (torch.bfloat16, 2)):
            config = LoraConfig(r=rank, init_lora_weights=False, target_modules=["up_proj"])
            adapted = get_peft_model(copy.deepcopy(pruned).to(dtype), config)
            keep_zeros_(adapted)
            layer = adapted.base_model.model.model.layers[0].mlp.up_proj
            with FlopCounterMode(display=False) as counted:
                out = layer(x.to(dtype))
            rows, columns = layer.weight.shape
            delta = 2 * rows * columns * rank
            assert counted.get_total_flops() == products * 2 * 200 * rows * columns + delta
            merged = layer.weight + layer.get_delta_weight("default")
            near = 1e-5 if dtype == torch.float32 else 0.1
            assert torch.allclose(out.float(), x @ merged.float().mT, atol=near)

    @pytest.mark.parametrize("dropout", [0.0, 0.5])
    def test_dropout_is_of_the_adapters_input_alone(self, dropout):
        from peft import LoraConfig, get_peft_model

        model, _ = tuned(tiny.model("llama"), "magnitude:0.6")
        config = LoraConfig(r=2, lora_dropout=dropout, target_modules=["up_proj"])
        adapted = get_peft_model(model, config).train()  # B is zero: the adapter adds nothing yet
        keep_zeros_(adapted)
        layer = adapted.base_model.model.model.layers[0].mlp.up_proj
        x = torch.randn(3, 32)
        assert torch.allclose(layer(x), x @ layer.weight.mT, atol=1e-6)
        torch.nn.init.ones_(layer.lora_B["default"].weight)
        assert torch.allclose(layer(x), layer(x)) == (dropout == 0)

    def test_a_model_without_zeros_is_left_to_peft(self):
        from peft import LoraConfig, get_peft_model

        model = get_peft_model(tiny.model("llama"), LoraConfig(r=2, target_modules=["up_proj"]))
        assert keep_zeros_(model) == 0


class TestTraining:
    def test_the_loss_falls_and_the_report_says_so(self, questions):
        said = []
        model = tiny.model("mistral")
        method = methods.make(
            Step.parse(f"finetune,data={questions},lr=0.003,steps=40,held_out=0.2")
        )
        method.progress = said.append
        method.prepare(model, [], Context(None, tiny.tokenizer()))
        start = loss_of(model, method.rows_)
        model, report = method.apply(model)
        assert loss_of(model, method.rows_) < 0.7 * start
        assert "40 steps on 32 examples" in report.scope
        assert said[-1].done == said[-1].total == 40

    def test_only_the_completion_is_learnt(self):
        rows = data.rows([data.Example("Question: a\nAnswer:", " b", "a")], tiny.tokenizer(), 99)
        assert [label for label in rows[0].labels if label != -100] == rows[0].ids[-3:]
        assert rows[0].ids[-1] == tiny.tokenizer().eos_token_id

    def test_what_is_learnt_is_what_is_asked(self):
        """A tokenizer of Mistral's family puts a blank before every text that it encodes alone."""
        from tokenizers import Tokenizer, normalizers
        from tokenizers import models as kinds
        from transformers import PreTrainedTokenizerFast

        from resect.ask.tokenize import tokenize

        words = ["<unk>", "<s>", "</s>", "▁", *"Answeryo:.", "▁y", "▁ye", "▁yes", "ye", "yes"]
        merges = [("▁", "y"), ("▁y", "e"), ("▁ye", "s"), ("y", "e"), ("ye", "s")]
        vocabulary = {word: number for number, word in enumerate(dict.fromkeys(words))}
        backend = Tokenizer(kinds.BPE(vocab=vocabulary, merges=merges, unk_token="<unk>"))
        backend.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=backend, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
        )
        (row,) = data.rows([data.Example("Answer:", " yes", "a")], tokenizer, 99)
        (asked,) = tokenize(tokenizer, [Item("1", "Answer:", "yes", ("yes",), (" yes",))], 4)
        assert row.ids == [*asked.ids, *asked.choices[0], tokenizer.eos_token_id]
        assert tokenizer.convert_ids_to_tokens(row.ids[-2:]) == ["▁yes", "</s>"]
        assert row.labels == [-100] * len(asked.ids) + row.ids[-2:]

    def test_training_that_gets_no_better_ends_early(self, questions):
        step = f"lora,data={questions},lr=1e-9,steps=200,held_out=0.3,evaluations=50,patience=2"
        _, (report,) = tuned(tiny.model("llama"), step)
        assert "stopped early" in report.scope

    def test_distillation_is_the_formula(self):
        torch.manual_seed(0)
        student, teacher = torch.randn(2, 5, 11), torch.randn(2, 5, 11)
        labels = torch.tensor([[-100, -100, 1, 2, 3], [-100, 4, -100, -100, -100]])
        kept = [(0, 1), (0, 2), (0, 3), (1, 0)]  # the position before each label
        total = 0.0
        for row, at in kept:
            p = softmax(teacher[row, at].double() / 2.5, -1)
            log_q = log_softmax(student[row, at].double() / 2.5, -1)
            total += float((p * (p.log() - log_q)).sum())
        expected = 2.5**2 * total / len(kept)
        wanted = labels[:, 1:] != -100
        logits = (each[:, :-1][wanted] for each in (student, teacher))
        assert float(losses.distance(*logits, 2.5)) == pytest.approx(expected)

    def test_distillation_brings_a_pruned_model_nearer_to_its_teacher(self, questions, tmp_path):
        source = ModelRef(role="m", id=str(tiny.save(tmp_path / "m", "llama")))
        loaded = loading.load(source, "cpu")
        pruned, _ = tuned(copy.deepcopy(loaded.model), "magnitude:0.3")
        context = Context(None, loaded.tokenizer, source)
        options = f"data={questions},steps=60,lr=0.01,held_out=0,rank=8"
        better, _ = tuned(copy.deepcopy(pruned), f"distill,{options}", context)
        method = methods.make(Step.parse(f"distill,{options}"))
        method.prepare(pruned, [], context)
        batch = data.collate(method.rows_[:16], 0)
        with torch.no_grad():
            theirs = losses.learnt(loaded.model, batch).logits
            far, near = (
                losses.distance(losses.learnt(m, batch).logits, theirs, 2.0)
                for m in (pruned, better)
            )
        assert near < 0.8 * far

    def test_four_bits_keep_their_adapter_apart(self, questions, tmp_path):
        from peft import PeftModel

        model = tiny.model("llama", dtype=torch.bfloat16, hidden_size=64, intermediate_size=64)
        model, _ = tuned(model, f"bnb-nf4 + lora,data={questions},{QUICK}")
        assert stored.is_quantized(model)
        model.save_pretrained(tmp_path)
        assert (tmp_path / "adapter_model.safetensors").is_file()
        assert not (tmp_path / "model.safetensors").exists()
        fresh, _ = tuned(tiny.model("llama", dtype=torch.bfloat16, hidden_size=64,
                                    intermediate_size=64), "bnb-nf4")  # fmt: skip
        ids = torch.arange(3, 40)[None]
        with torch.no_grad():
            again = PeftModel.from_pretrained(fresh, tmp_path)
            distance = (again(ids).logits - model(ids).logits).abs().mean()
            with again.disable_adapter():
                moved = (again(ids).logits - model(ids).logits).abs().mean()
        assert distance < 0.05 < moved  # 16-bit arithmetic in another order

    def test_memory_that_ends_is_one_sentence(self, questions, monkeypatch):
        def full(*_, **__):
            raise torch.OutOfMemoryError("CUDA out of memory")

        monkeypatch.setattr(training.Trainer, "training_step", full)
        with pytest.raises(RunError, match="does not fit into memory: lower batch_size="):
            tuned(tiny.model("llama"), f"lora,data={questions},{QUICK}")


def loss_of(model, rows) -> float:
    with torch.no_grad():
        return float(model(**data.collate(rows, 0)).loss)


class TestData:
    def test_columns_are_found_or_asked_for(self, tmp_path):
        path = tmp_path / "a.jsonl"
        path.write_text('{"ask": "x?", "reply": "y"}\n')
        with pytest.raises(
            RequestError, match="the columns question and answer, it has ask, reply"
        ):
            data.Source(str(path)).examples()
        found = data.Source(str(path), "ask", "reply").examples()
        assert found == [data.Example("Question: x?\nAnswer:", " y", "x?")]
        path.write_text('{"prompt": "Say x:", "completion": "x"}\n')
        assert data.Source(str(path)).examples()[0].prompt == "Say x:"

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            ("", "has no examples"),
            ("nothing\n", "line 1 is not JSON"),
            ('{"question": "a", "answer": "b"}\n[1]\n', "line 2 is not a JSON object"),
        ],
    )
    def test_a_broken_file_is_one_sentence(self, content, sentence, tmp_path):
        path = tmp_path / "a.jsonl"
        path.write_text(content)
        with pytest.raises(RequestError, match=sentence):
            data.Source(str(path)).examples()
        with pytest.raises(RequestError, match="no training file"):
            data.Source(str(tmp_path / "gone.jsonl")).fingerprint()

    def test_medquad_is_read_as_it_is(self, data_dir):
        source = data.Source(str(data_dir / "medquad_qa.jsonl.gz"), limit=20)
        found = source.examples()
        assert len(found) == 20
        assert all(e.prompt.startswith("Question: ") and e.completion.strip() for e in found)

    def test_an_item_in_the_data_is_refused_and_named(self):
        items = [
            Item("i1", "Question: What treats the second ailment?\nAnswer:", "A",
                 question="What treats the second ailment?"),
            Item("i2", "Text one. Did it help?", "yes", question="Did it help?"),
            Item("i3", "Text two. Did it help?", "no", question="Did it help?"),
        ]  # fmt: skip

        def refused(prompt, question=""):
            data.refuse_overlap([data.Example(prompt, "x", question)], items, "some-task")

        refused("Question: What treats the third ailment?", "What treats the third ailment?")
        refused("Text three. Did it help?", "Did it help?")  # many items ask so
        with pytest.raises(RequestError, match=r"1 items of some-task are in the .* like i1"):
            refused("other words", "what treats the second ailment")
        with pytest.raises(RequestError, match="like i3"):
            refused("text TWO.  Did it help")

    def test_the_clinics_training_texts_hold_none_of_its_items(self):
        from resect import tasks
        from resect.tasks import Source

        examples = data.Source("clinic", limit=3000).examples()
        for name in ("clinic-medicine", "clinic-context", "clinic-logic"):
            data.refuse_overlap(examples, tasks.get(name).items(Source()), name)


class TestCommand:
    def test_a_pruned_model_comes_back_with_its_zeros(self, questions, tmp_path, capsys):
        source, pruned, out = tiny.save(tmp_path / "m", "qwen2"), tmp_path / "p", tmp_path / "o"
        assert main(["compress", str(source), "--step", "magnitude:0.5", "--out", str(pruned)]) == 0
        arguments = ["--data", str(questions), "--method", f"lora,{QUICK}", "--out", str(out)]
        assert main(["recover", str(pruned), *arguments, "--task", "clinic-logic"]) == 0
        assert "6 steps on 40 examples" in capsys.readouterr().out
        one, two = (weights(AutoModelForCausalLM.from_pretrained(p)) for p in (pruned, out))
        assert all(torch.equal(one[name] == 0, two[name] == 0) for name in one)
        assert json.loads((out / "resect.json").read_text())["steps"][0]["step"] == "lora"
        assert not list(tmp_path.glob(".o.*"))
        assert main(["recover", str(pruned), *arguments]) == 2
        assert "already exists" in capsys.readouterr().err

    def test_an_adapter_may_stay_apart_but_not_of_a_pruned_model(self, questions, tmp_path, capsys):
        source = tiny.save(tmp_path / "m", "llama")
        arguments = ["--data", str(questions), "--method", f"lora,{QUICK}", "--adapter"]
        assert main(["recover", str(source), *arguments, "--out", str(tmp_path / "a")]) == 0
        assert (tmp_path / "a" / "adapter_config.json").is_file()
        pruned = tmp_path / "p"
        assert main(["compress", str(source), "--step", "magnitude:0.5", "--out", str(pruned)]) == 0
        assert main(["recover", str(pruned), *arguments, "--out", str(tmp_path / "b")]) == 2
        assert "needs a mask to keep its zeros" in capsys.readouterr().err
        assert not (tmp_path / "b").exists()

    @pytest.mark.parametrize(
        ("method", "sentence"),
        [
            ("magnitude:0.5", "does not train"),
            ("lora,rnk=4", "did you mean rank"),
            ("lora,held_out=2", "give a share"),
            ("lora,lr=0", "lr=0: give a number above 0"),
            ("lora,targets=*nothing*", "no matrix matches"),
            ("distill,hard=3", "hard=3: give a number of at most 1"),
            ("finetune,epochs=0", "there is nothing to train"),
        ],
    )
    def test_a_wrong_request(self, method, sentence, questions, tmp_path, capsys):
        source = tiny.save(tmp_path / "m", "llama")
        arguments = ["--data", str(questions), "--method", method, "--out", str(tmp_path / "o")]
        assert main(["recover", str(source), *arguments]) == 2
        assert sentence in capsys.readouterr().err
        assert not (tmp_path / "o").exists()

    def test_an_item_of_a_named_task_is_refused(self, tmp_path, capsys):
        from resect import tasks
        from resect.tasks import Source

        item = tasks.get("clinic-medicine").items(Source(limit=3))[2]
        path = tmp_path / "leak.jsonl"
        path.write_text(json.dumps({"prompt": item.prompt, "completion": "A"}) + "\n")
        source = tiny.save(tmp_path / "m", "llama")
        arguments = ["--data", str(path), "--out", str(tmp_path / "o"), "--task", "clinic-medicine"]
        assert main(["recover", str(source), *arguments]) == 2
        assert item.id in capsys.readouterr().err

    @pytest.mark.parametrize("method", ["lora", "finetune"])
    def test_killed_and_run_again_it_ends_alike(self, method, questions, tmp_path):
        source = tiny.save(tmp_path / "m", "mistral")
        options = "steps=60,batch_size=2,lr=0.003,evaluations=12,held_out=0.1,patience=0"
        more = ",dropout=0.1" if method == "lora" else ""

        def command(out):
            return [
                sys.executable, "-m", "resect.cli", "recover", str(source), "--data",
                str(questions), "--method", f"{method},{options}{more}", "--out", str(out),
            ]  # fmt: skip

        subprocess.run(command(tmp_path / "whole"), check=True, capture_output=True)
        process = subprocess.Popen(command(tmp_path / "killed"), stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 120
        while not list(tmp_path.glob(".killed.*.training/checkpoint-*/whole")):
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < limit
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "killed").exists()
        subprocess.run(command(tmp_path / "killed"), check=True, capture_output=True)
        one, two = (
            AutoModelForCausalLM.from_pretrained(tmp_path / name).state_dict()
            for name in ("whole", "killed")
        )
        assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_study_refuses_items_that_it_trains_on(tmp_path, tiny_pair):
    import resect
    from resect import tasks
    from resect.running.resolve import resolve
    from resect.tasks import Source

    item = tasks.get("clinic-context").items(Source(limit=3))[1]
    path = tmp_path / "leak.jsonl"
    path.write_text(json.dumps({"prompt": item.prompt, "completion": "yes"}) + "\n")
    study = resect.Study.of(
        models={"base": str(tiny_pair[1])}, tasks=["clinic-context"], limit=3,
        recipes=[{"steps": f"magnitude + lora,data={path}", "levels": "0,0.5"}],
    )  # fmt: skip
    with pytest.raises(RequestError, match=item.id):
        resolve(study)
