"""Caption sets to and from the published form, so that a round trip changes nothing.

The texts of a caption set are files of the published form. Exporting copies them as they are; importing
copies the files as they are and reads from them what they state.
"""

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from nextreid.atomic import written_whole
from nextreid.attributes.grammar import Grammar
from nextreid.attributes.recovery import Recovered, Recovery
from nextreid.attributes.schema import Schema
from nextreid.captions.audit_sets import owners_of, read_texts, text_file
from nextreid.captions.caption_set import (
    RUN,
    TABLE,
    TEXT,
    CaptionSet,
    check_finished,
    is_caption_set,
    write_run,
)
from nextreid.captions.origin import FROM_TRUTH, truth_of_world
from nextreid.captions.published import cleaned
from nextreid.captions.slots import Slot
from nextreid.captions.table import CaptionTable, write_table
from nextreid.data.rows import Manifest
from nextreid.errors import InputError

IMPORTED = "imported"
"""What the source model of an imported slot begins with: `imported:<name of the folder>`."""


@dataclass(frozen=True)
class Imported:
    """What came of an import.

    Attributes:
        captions: the caption set, as written.
        files: names of the files.
        items: captions in them; joined: those of an image of the data set.
        slots: values read.
        words, covered: of the joined captions, and how many of these words were understood.
        strangers: (file, item) of captions whose image the data set does not list.
        again: (file, item) of captions that stand more than once; the first counts.
    """

    captions: CaptionSet
    files: tuple[str, ...]
    items: int
    joined: int
    slots: int
    words: int
    covered: int
    strangers: tuple[tuple[str, str], ...]
    again: tuple[tuple[str, str], ...]


def export_captions(
    folder: str | Path,
    out: str | Path,
    *,
    splits: Collection[str] | None = None,
    modalities: Collection[str] | None = None,
) -> tuple[Path, ...]:
    """Copy the texts of a caption set, byte for byte.

    Args:
        folder: a caption set.
        out: a folder; made if it is not there.
        splits, modalities: which files; None: all.

    Returns:
        The files written.

    Raises:
        InputError: no caption set, a split or modality that it has no texts of, or files that are there
            already.
    """
    folder, out = Path(folder), Path(out)
    check_finished(folder)
    if not is_caption_set(folder):
        raise InputError(f"{folder} is not a caption set", allowed=f"a folder with {TABLE} and {RUN}")
    texts = read_texts(folder / TEXT)
    held = ", ".join(text_file(*key) for key in texts) or "no texts"
    for what, wanted, there in (
        ("split", splits, {split for split, _ in texts}),
        ("modality", modalities, {modality for _, modality in texts}),
    ):
        absent = [name for name in wanted or () if name not in there]
        if absent:
            raise InputError(f"{folder} has no captions of the {what} {', '.join(absent)}", allowed=held)
    chosen = [
        text_file(split, modality)
        for split, modality in texts
        if (splits is None or split in splits) and (modalities is None or modality in modalities)
    ]
    if not chosen:
        raise InputError(f"{folder} has no captions of this split and modality", allowed=held)
    return _copied(folder / TEXT, out, chosen)


def import_captions(folder: str | Path, manifest: Manifest, schema: Schema, out: str | Path) -> Imported:
    """Make a caption set of published captions.

    A caption belongs to the observation whose image of that split and modality has the item's name. What
    cannot be read stays in the text, and in no slot. Confidences are not known.

    Args:
        folder: holds any subset of `{train,test}_{RGB,NI,TI}.json` (other modalities by their name).
        manifest: the data set.
        schema: what the captions are read in.
        out: the caption set to write; a folder that is not there yet, or an empty one.

    Raises:
        InputError: no such files, none of an image of the data set, or a folder that holds something.
    """
    folder, out = Path(folder), Path(out)
    if out.is_dir() and any(out.iterdir()):
        raise InputError(f"{out} is there already", do="name a new folder")
    texts = read_texts(folder)
    if not texts:
        raise InputError(f"{folder} holds no captions", allowed="any of {train,test}_{RGB,NI,TI}.json")
    recovery, grammar, model = Recovery(schema), Grammar(schema), f"{IMPORTED}:{folder.resolve().name}"
    owners = owners_of(manifest)
    found: dict[tuple[str, str], list[Slot]] = {}
    strangers: list[tuple[str, str]] = []
    again: list[tuple[str, str]] = []
    joined = words = covered = 0
    for (split, modality), captions in texts.items():
        for item, text in captions:
            owner = owners.get((split, modality, item))
            if owner is None or (owner, modality) in found:
                (strangers if owner is None else again).append((text_file(split, modality), item))
                continue
            joined += 1
            told = recovery.read(cleaned(text)[0])
            words, covered = words + len(text.split()), covered + told.covered
            said = _sentences(told, grammar)
            source = ((modality,), (model,))
            found[owner, modality] = [
                Slot(
                    owner, modality, group.name, a.name, told.values[a.name], None, *source, said[group.name]
                )
                for group in schema.groups
                for a in group.attributes
                if a.name in told.values
            ]
    if not joined:
        raise InputError(
            f"{folder} has no caption of an image of {manifest.source}",
            allowed="captions of the same data set",
            do="look at the item names: they are file names of images",
        )
    rows = [
        slot
        for row in manifest.rows
        for modality in manifest.modalities
        for slot in found.get((row.observation, modality), ())
    ]
    table = CaptionTable(tuple(rows))
    files = [text_file(*key) for key in texts]
    run = {
        "method": "import",
        "source": folder.resolve().name,
        "files": files,
        "data": {"name": manifest.name, "sha256": manifest.sha256},
        FROM_TRUTH: truth_of_world(folder, root=manifest.root),
    }
    _copied(folder, out / TEXT, files)
    write_table(table, out / TABLE)
    write_run(out, schema, run)
    return Imported(
        captions=CaptionSet(out, schema, table, run),
        files=tuple(files),
        items=sum(len(captions) for captions in texts.values()),
        joined=joined,
        slots=len(rows),
        words=words,
        covered=covered,
        strangers=tuple(strangers),
        again=tuple(again),
    )


def _sentences(told: Recovered, grammar: Grammar) -> dict[str, str]:
    """Return group -> its words in a caption; own ones where a value stands among another group's words."""
    said = {piece.group: piece.text for piece in told.groups}
    return {piece.group: said.get(piece.group, piece.text) for piece in grammar.realise(told.values)}


def _copied(source: Path, out: Path, names: list[str]) -> tuple[Path, ...]:
    there = [name for name in names if (out / name).exists()]
    if there:
        raise InputError(f"{out} already holds {', '.join(there)}", do="name another folder")
    for name in names:
        with written_whole(out / name) as temporary:
            shutil.copyfile(source / name, temporary)
    return tuple(out / name for name in names)
