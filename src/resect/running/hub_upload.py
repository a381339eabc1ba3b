"""A version of a run with its papers: made anew into a folder, and uploaded where asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from resect.deploy import modelfile
from resect.errors import RequestError, RunError
from resect.models import loading, model_card, scratch
from resect.record import LLAMA_CPP
from resect.running import compression, papers
from resect.running.compression import Notice
from resect.running.folder import Run
from resect.spec import Study


def export(
    run: Run,
    to: str,
    out: Path,
    version: str | None = None,
    notice: Notice = lambda _: None,
) -> list[Path]:
    """Write a version of a run with its papers (`gguf`, `folder`), or the papers (`hub-card`).

    Without a name the version is the one that was chosen. Raises `RequestError` where there is
    none, or where it is no GGUF file and one is asked for.
    """
    study, summary = Study.load(run.path / "study.yaml"), run.findings()
    chosen = papers.version_of(study, summary, version)
    is_file = chosen.recipe.runtime == LLAMA_CPP
    if to == "gguf" and not is_file:
        raise RequestError(
            f"{chosen.steps.name} is no GGUF file: name a version with gguf as its last step, or "
            "use --to folder."
        )
    if to == "folder" and is_file:
        raise RequestError(f"{chosen.steps.name} is a GGUF file: use --to gguf.")
    ref = chosen.ref
    place = loading.where(ref)
    origin = papers.origin_of(ref, model_card.front_matter(model_card.card_of(place)))
    with run.reading() as store:
        tasks = store.tasks()
    if to in ("gguf", "folder"):
        make(study, chosen, out, notice)
        for file in out.glob("*.gguf"):
            tokenizer = loading.check(ref).tokenizer
            context = study.runtime.n_ctx
            (out / "Modelfile").write_text(modelfile.modelfile(tokenizer, file.name, context))
        papers.write(out, chosen, summary, tasks, origin)
    else:
        with scratch.whole_folder(out) as folder:
            papers.write(folder, chosen, summary, tasks, origin)
    return sorted(path for path in out.rglob("*") if path.is_file())


def make(study: Study, version: papers.Version, out: Path, notice: Notice) -> None:
    """Write a version as its study made it into a new folder."""
    compression.compress_to(
        version.ref,
        version.steps,
        out,
        calibration=study.calibration,
        seed=study.seed_of(version.recipe),
        device=study.device,
        data_dir=study.data_path,
        notice=notice,
    )


def push(folder: Path, repo: str, dry_run: bool) -> dict[str, Any]:
    """Upload a folder to a model repository of the hub; `dry_run` only says what would go there.

    The token is the one that `huggingface_hub` finds (HF_TOKEN, or a login). Raises `RunError`
    where the hub refuses.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {str(path.relative_to(folder)): path.stat().st_size for path in files}
    if not dry_run:
        _upload(folder, repo)
    return {"repo": repo, "files": names, "uploaded": not dry_run}


def _upload(folder: Path, repo: str) -> None:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        api = HfApi()
        api.create_repo(repo, repo_type="model", exist_ok=True)
        api.upload_folder(repo_id=repo, folder_path=folder, commit_message="Upload by resect")
    except HFValidationError as error:
        raise RequestError(f"{repo} is no repository name ({error}): write OWNER/NAME.") from None
    except (HfHubHTTPError, OSError) as error:
        why = str(error).strip().splitlines()[0]
        raise RunError(f"the hub took nothing ({why}): the folder {folder} is as it was.") from None
