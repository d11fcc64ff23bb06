"""CLIP checkpoints that others made: a folder in Hugging Face form, or an id of the hub."""

from pathlib import Path
from typing import Any

import torch

from nextreid.errors import InputError
from nextreid.hub import hub_answers
from nextreid.model.builtin import available
from nextreid.model.clip import Clip
from nextreid.model.clip_folder import check_vocabulary
from nextreid.model.folder import CONFIG


def load_published(source: str) -> Clip:
    """Load a checkpoint; without network, from the hub's cache if it is there.

    Args:
        source: a folder, a hub id, or `id@revision`.

    Raises:
        InputError: no such folder or checkpoint, no CLIP, or damaged weights.
    """
    from transformers import AutoTokenizer, CLIPModel

    name, where = _place(source)
    try:
        _check_type(name, where)
        model, report = CLIPModel.from_pretrained(
            name, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **where
        )
        tokenizer = AutoTokenizer.from_pretrained(name, **where)
    except InputError:
        raise
    except Exception as error:  # whatever a damaged or foreign file makes three libraries raise
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(
            f"The backbone {source!r} cannot be loaded ({reason})",
            allowed=_allowed(),
            do=("copy the folder again" if Path(source).is_dir() else "check the name and the network")
            + "; a checkpoint without safetensors can be converted once with "
            "CLIPModel.from_pretrained(...).save_pretrained(FOLDER)",
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise InputError(
            f"The backbone {source!r} lacks {len(missing)} weights, the first {missing[0]}",
            allowed="a CLIP with both its towers",
        )
    check_vocabulary(model, tokenizer, repr(source))
    return Clip(model=model, tokenizer=tokenizer, origin="clip")


def _place(source: str) -> tuple[str, dict[str, Any]]:
    """Return a folder or a hub id, and what transformers needs to know to find its files."""
    if Path(source).is_dir():  # as it stands, an @ in its name included
        if not (Path(source) / CONFIG).is_file():
            raise InputError(f"The folder {source} has no {CONFIG}", allowed=_allowed())
        return source, {"local_files_only": True}
    if _is_path(source):
        raise InputError(f"There is no CLIP folder {source}", allowed=_allowed())
    name, _, revision = source.partition("@")
    revision = revision or "main"
    return name, {"revision": revision, "local_files_only": not hub_answers(name, revision)}


def _allowed() -> str:
    return (
        "a Hugging Face CLIP id, id@revision, a folder with config.json, model.safetensors "
        f"and tokenizer files, or one of {', '.join(available())}"
    )


def _is_path(source: str) -> bool:
    """Tell what can only be a path: a hub id has one slash at most, inside; runs/x lies in a folder here."""
    above, slash, _ = source.partition("/")
    return (
        source.startswith((".", "/", "~"))
        or source.count("/") > 1
        or "\\" in source
        or source.endswith("/")
        or (bool(slash) and Path(above).is_dir())
    )


def _check_type(name: str, where: dict[str, Any]) -> None:
    from transformers import PretrainedConfig

    settings, _ = PretrainedConfig.get_config_dict(name, **where)
    kind = settings.get("model_type")
    if kind != "clip":
        raise InputError(f"The checkpoint {name!r} is a model of type {kind!r}", allowed="clip")
