"""The caption sets that an audit compares: folders of published files, and caption sets of our own."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from nextreid.attributes.recovery import Recovery
from nextreid.attributes.schema import BUILTIN, Schema, load_schema
from nextreid.captions.audit_truth import Said
from nextreid.captions.caption_set import TEXT, check_finished, is_caption_set, items, read_caption_set
from nextreid.captions.published import OddCaption, cleaned, read_items
from nextreid.data.rows import Manifest
from nextreid.errors import InputError
from nextreid.modality import PUBLISHED_TAG, check_modality
from nextreid.progress import Progress, Silent

Form = Literal["published", "caption set"]

RESERVED = ("format", "rule", "settings", "truth", "comparison", "versions")
"""Keys of audit.json that are no set's name."""

TASTED = 60
"""Captions that are read to find out which schema a folder follows (ours: enough to tell kinds apart)."""

LEAST_READ = 0.5
"""Share of words that a schema has to account for, to be taken for a folder's (ours: below it the captions
are about something else, or in prose)."""

_FILE = re.compile(r"(?P<split>train|test)_(?P<tag>\w+)\.json")


@dataclass(frozen=True)
class Words:
    """How much of the texts was understood.

    Attributes:
        total: words read. recovered: those that state a value, or belong to the sentence around one.
    """

    total: int
    recovered: int


@dataclass(frozen=True)
class AuditedSet:
    """Captions to audit.

    Attributes:
        name: what to call them; unique in one audit.
        path: where they lie.
        form: published files, or a caption set.
        texts: (split, modality) -> (item, text) of each caption, as the files hold them.
        schema: what they are told in; None where no schema accounts for the texts.
        stated: (owner, modality) -> attribute -> what is stated. The owner is an observation, or
            `split/item` where no data set says whose image the item is.
        joined: owners are observations.
        words: of texts that were read; None for a caption set, whose values stand in its table.
        strangers: items of published files that the data set does not list.
        odd: what is odd about published captions: `empty`, `unfilled slot`, `other language`, `literal line
            break`, `duplicate`.
    """

    name: str
    path: Path
    form: Form
    texts: Mapping[tuple[str, str], tuple[tuple[str, str], ...]]
    schema: Schema | None
    stated: Mapping[tuple[str, str], Mapping[str, Said]]
    joined: bool
    words: Words | None = None
    strangers: int = 0
    odd: tuple[OddCaption, ...] = ()

    @cached_property
    def modalities(self) -> tuple[str, ...]:
        """Modalities that have captions: rgb, nir, tir, then others by name."""
        found = {modality for _, modality in self.texts} | {modality for _, modality in self.stated}
        return tuple(sorted(found, key=_place))


def read_sets(
    folders: Sequence[str | Path],
    *,
    schema: Schema | None = None,
    manifest: Manifest | None = None,
    progress: Progress | None = None,
) -> tuple[AuditedSet, ...]:
    """Read every folder of an audit.

    Args:
        folders: each holds any subset of `{train,test}_{RGB,NI,TI}.json` (other modalities by their name),
            itself or in a folder `text`, or is a caption set.
        schema: what published captions are read in; None: the shipped one that accounts for most words.
            A caption set brings its own.
        manifest: a data set that says whose image an item is.
        progress: draws how many published captions are read.

    Raises:
        InputError: a folder that is neither, one that is named twice, or a damaged file.
    """
    paths = [Path(folder) for folder in folders]
    places = [path.resolve() for path in paths]
    twice = [str(path) for at, path in enumerate(paths) if places[at] in places[:at]]
    if twice:
        raise InputError(f"{', '.join(twice)} is named twice", allowed="each set once")
    names = unique_names(paths)
    return tuple(
        _read(path, name, schema, manifest, progress or Silent())
        for path, name in zip(paths, names, strict=True)
    )


def unique_names(paths: Sequence[Path]) -> tuple[str, ...]:
    """Return a name for each path: its last folder, with as many above as tell them apart.

    A folder called `text` is named with the one above it. One path given twice gets a number.
    """
    parts = [path.resolve().parts for path in paths]
    depth = [2 if path[-1] == TEXT and len(path) > 1 else 1 for path in parts]
    while True:
        names = ["/".join(path[-deep:]) for path, deep in zip(parts, depth, strict=True)]
        counted = Counter(names)
        again = [
            at for at, name in enumerate(names) if _taken(name, counted) and depth[at] < len(parts[at]) - 1
        ]
        if not again:
            break
        for at in again:
            depth[at] += 1
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(unique)


def _taken(name: str, counted: Mapping[str, int]) -> bool:
    return counted[name] > 1 or name in RESERVED


def _read(
    path: Path, name: str, schema: Schema | None, manifest: Manifest | None, progress: Progress
) -> AuditedSet:
    if is_caption_set(path):
        return _caption_set(path, name, manifest)
    check_finished(path)
    if path.is_file():
        raise InputError(f"{path} is a file", allowed="a folder", do=f"name its folder, {path.parent}")
    texts = read_texts(path) or read_texts(path / TEXT)
    if not texts:
        held = ", ".join(sorted(entry.name for entry in path.iterdir())[:12]) if path.is_dir() else ""
        raise InputError(
            f"{path} holds no captions: found {held or 'nothing'}",
            allowed="any of {train,test}_{RGB,NI,TI}.json, or a caption set as `nextreid caption "
            "generate` writes it",
        )
    count = sum(map(len, texts.values()))
    if not count:
        files = ", ".join(text_file(*key) for key in texts)
        raise InputError(f"{path} holds files without any caption: {files}", do="name a folder with captions")
    schema = schema or recognised_schema(texts)
    owners = owners_of(manifest) if manifest else None
    stated: dict[tuple[str, str], dict[str, Said]] = {}
    odd: list[OddCaption] = []
    total = covered = strangers = 0
    recovery = Recovery(schema) if schema else None
    with progress.task(f"captions of {name}", count) as task:
        for (split, modality), captions in texts.items():
            seen: set[str] = set()
            file = text_file(split, modality)
            for item, text in captions:
                task.advance()
                kept, faults = cleaned(text)
                faults += [("duplicate", text)] if item in seen else []
                odd += [OddCaption(file, item, reason, what, item not in seen) for reason, what in faults]
                owner = f"{split}/{item}" if owners is None else owners.get((split, modality, item))
                strangers += owner is None
                if owner is None or item in seen:
                    continue
                seen.add(item)
                stated[owner, modality] = {}
                if recovery is not None:
                    found = recovery.read(kept)
                    total, covered = total + len(text.split()), covered + found.covered
                    stated[owner, modality] = {name: Said(value) for name, value in found.values.items()}
    words = Words(total, covered) if schema else None
    joined = manifest is not None
    return AuditedSet(name, path, "published", texts, schema, stated, joined, words, strangers, tuple(odd))


def _caption_set(path: Path, name: str, manifest: Manifest | None) -> AuditedSet:
    found = read_caption_set(path)
    texts = read_texts(path / TEXT)
    stated: dict[tuple[str, str], dict[str, Said]] = defaultdict(dict)
    strangers = 0
    if manifest:  # captions that state nothing are in the texts only
        owners = owners_of(manifest)
        for (split, modality), captions in texts.items():
            for item, _ in captions:
                owner = owners.get((split, modality, item))
                strangers += owner is None
                if owner is not None:
                    stated[owner, modality] = {}
    for slot in found.table.slots:
        stated[slot.observation, slot.modality][slot.attribute] = Said(slot.value, slot.confidence)
    return AuditedSet(
        name, path, "caption set", texts, found.schema, dict(stated), joined=True, strangers=strangers
    )


def read_texts(folder: Path) -> dict[tuple[str, str], tuple[tuple[str, str], ...]]:
    """Read every file of the published form in a folder: (split, modality) -> (item, text).

    A file of another modality's name (`test_depth.json`) is one of them only if its content is.

    Raises:
        InputError: a file of a published name that is not of the published form.
    """
    modality_of = {tag: name for name, tag in PUBLISHED_TAG.items()}
    found = {}
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        match = _FILE.fullmatch(path.name)
        if match is None:
            continue
        known = modality_of.get(match["tag"])
        try:
            found[match["split"], known or check_modality(match["tag"])] = tuple(read_items(path))
        except InputError:
            if known:
                raise
    return dict(sorted(found.items(), key=lambda entry: (entry[0][0] == "test", _place(entry[0][1]))))


def text_file(split: str, modality: str) -> str:
    """Return the name of a file of the published form."""
    return f"{split}_{PUBLISHED_TAG.get(modality, modality)}.json"


def recognised_schema(texts: Mapping[tuple[str, str], Sequence[tuple[str, str]]]) -> Schema | None:
    """Return the shipped schema that accounts for most words of some captions; None if none does."""
    captions = [text for part in texts.values() for _, text in part if text.strip()]
    tasted = captions[:: max(1, len(captions) // TASTED)][:TASTED]
    best, most = None, LEAST_READ
    for name in BUILTIN:
        schema = load_schema(name)
        recovery = Recovery(schema)
        found = [recovery.read(text) for text in tasted]
        read = sum(part.covered for part in found) / max(1, sum(part.words for part in found))
        if read > most:
            best, most = schema, read
    return best


def owners_of(manifest: Manifest) -> dict[tuple[str, str, str], str]:
    """Return (split, modality, item of the published form) -> observation."""
    owners = {}
    for split in ("train", "test"):
        for modality in manifest.modalities:
            rows = [row for row in manifest.rows if row.split == split and modality in row.paths]
            for row, item in zip(rows, items(rows, modality, root=manifest.root), strict=True):
                owners[split, modality, item] = row.observation
    return owners


def _place(modality: str) -> tuple[int, str]:
    """Sort rgb, nir, tir before others."""
    known = list(PUBLISHED_TAG)
    return (known.index(modality) if modality in known else len(known), modality)
