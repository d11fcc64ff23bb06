"""A CLIP of our own as a folder in Hugging Face form, with a card and the notes of how it was made."""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from nextreid.errors import InputError
from nextreid.model.clip import Clip
from nextreid.model.clip_card import model_card
from nextreid.model.folder import (
    CARD,
    CONFIG,
    WEIGHTS,
    read_json,
    read_weights,
    weights_sha256,
    write_weights,
    written_folder,
)
from nextreid.model.pretraining_notes import PretrainingNotes
from nextreid.model.stem import build_clip, saved_state

NOTES, TOKENIZER_FILE = "pretraining.json", "tokenizer.json"


def save_clip(
    clip: Clip,
    folder: str | Path,
    *,
    half: bool,
    notes: PretrainingNotes | Mapping[str, Any],
    card: str | None = None,
) -> Path:
    """Write a CLIP folder; an existing one is replaced only when the new one is complete.

    `AutoTokenizer.from_pretrained` reads it as well, and `transformers.CLIPModel.from_pretrained` does where
    the patches are linear (no stem). The model in memory is left as it is.

    Args:
        clip: the model and its tokenizer.
        folder: where to.
        half: store float16, half the size; weights are rounded to 11 bits.
        notes: how it was made; how attention is computed and the SHA-256 of the weights are filled in.
        card: the text of README.md; None: `model_card` of the notes.

    Raises:
        InputError: notes that lack something, or weights that are not finite (in float16, with `half`).
    """
    if not isinstance(notes, PretrainingNotes):
        notes = PretrainingNotes.from_dict(notes)
    dtype = torch.float16 if half else torch.float32
    state = {name: tensor.detach().to(dtype) for name, tensor in saved_state(clip.model).items()}
    strange = sorted(name for name, tensor in state.items() if not bool(tensor.isfinite().all()))
    if strange:
        raise InputError(
            f"The weights {', '.join(strange[:5])} are not finite in {str(dtype).removeprefix('torch.')}",
            allowed="finite numbers" + (", below 65504 in size" if half else ""),
            do="train with a smaller rate" + (", or save in full precision" if half else ""),
        )
    config = copy.deepcopy(clip.model.config)
    config.architectures = [type(clip.model).__name__]
    config.dtype = dtype
    with written_folder(folder) as fresh:
        config.save_pretrained(fresh)
        clip.tokenizer.save_pretrained(fresh)
        write_weights(state, fresh)
        notes = replace(
            notes,
            attention=clip.model.config._attn_implementation or "eager",
            weights_sha256=weights_sha256(fresh),
        )
        (fresh / NOTES).write_text(_as_text(notes), encoding="utf-8")
        (fresh / CARD).write_text(model_card(notes) if card is None else card, encoding="utf-8")
    return Path(folder)


def is_ours(folder: Path) -> bool:
    """Tell whether a folder is one that `save_clip` wrote."""
    return (folder / NOTES).is_file()


def read_notes(folder: str | Path) -> PretrainingNotes:
    """Read how a CLIP folder of ours was made.

    Raises:
        InputError: there are no notes, or they cannot be read.
    """
    path = Path(folder) / NOTES
    return PretrainingNotes.from_dict(read_json(path), where=str(path))


def read_clip(folder: str | Path) -> Clip:
    """Read a folder that `save_clip` wrote: strictly, without network, float32 in memory.

    Raises:
        InputError: a file is missing or damaged, or the weights do not fit the configuration.
    """
    folder = Path(folder)
    missing = [name for name in (CONFIG, WEIGHTS, TOKENIZER_FILE) if not (folder / name).is_file()]
    if missing:
        raise InputError(
            f"The CLIP folder {folder} has no {', '.join(missing)}",
            allowed=f"{CONFIG}, {WEIGHTS} and {TOKENIZER_FILE}, as `nextreid pretrain` writes them",
            do="copy the folder again",
        )
    notes = read_notes(folder)
    settings = read_json(folder / CONFIG)
    model = _empty_model(settings, folder, notes.attention)
    read_weights(model, folder)
    tokenizer = read_tokenizer(folder)
    check_vocabulary(model, tokenizer, str(folder))
    return Clip(model=model.eval(), tokenizer=tokenizer, origin="builtin", saw=notes.saw)


def read_tokenizer(folder: Path) -> Any:
    """Read the tokenizer that was saved into a folder, without network.

    Raises:
        InputError: there is none, or it is damaged.
    """
    from transformers import AutoTokenizer

    path = folder / TOKENIZER_FILE
    if not path.is_file():  # transformers would ask the hub, or go on with an empty vocabulary
        raise InputError(f"{folder} has no {TOKENIZER_FILE}", do="copy the folder again")
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the tokenizers library raises plain Exception for a damaged file
        raise InputError(
            f"{path} cannot be read: {str(error).strip().splitlines()[0]}", do="copy the folder again"
        ) from error


def check_vocabulary(model: Any, tokenizer: Any, source: str) -> None:
    """Check that a text tower knows every token that its tokenizer can give.

    Raises:
        InputError: the tokenizer is another model's, or empty.
    """
    known, largest = int(model.config.text_config.vocab_size), max(tokenizer.get_vocab().values(), default=-1)
    if not 256 <= largest < known:  # all tokenizers of CLIP know the 256 bytes
        raise InputError(
            f"The tokenizer of {source} has {largest + 1} tokens, its text tower knows {known}",
            allowed=f"the tokenizer the model was trained with: 257 to {known} tokens",
            do="put the right tokenizer files beside the weights",
        )


def _as_text(notes: PretrainingNotes) -> str:
    """Return JSON to be read by people too: a loss curve of thousands of rows has a line for each."""
    values = notes.to_dict()
    rows = ",\n".join("  " + json.dumps(list(row)) for row in values["loss"])
    text = json.dumps({**values, "loss": []}, indent=1)
    return text.replace('\n "loss": []', f'\n "loss": [\n{rows}\n ]' if rows else '\n "loss": []', 1) + "\n"


def _empty_model(settings: Mapping[str, Any], folder: Path, attention: str) -> Any:
    """Build the model that a config.json describes, its weights yet to be read."""
    from transformers import CLIPConfig

    if settings.get("model_type") != "clip":
        raise InputError(
            f"{folder / CONFIG} describes a model of type {settings.get('model_type')!r}", allowed="clip"
        )
    plain = {key: value for key, value in settings.items() if key not in ("dtype", "torch_dtype")}
    try:
        with torch.random.fork_rng(devices=[]):  # the random weights that are drawn first are overwritten
            return build_clip(CLIPConfig(**plain, attn_implementation=attention)).float()
    except Exception as error:  # whatever a wrong value of whatever key makes transformers raise
        raise InputError(
            f"{folder / CONFIG} describes no CLIP: {str(error).strip().splitlines()[0]}",
            do="copy the folder again",
        ) from error
