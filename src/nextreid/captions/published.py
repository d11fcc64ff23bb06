"""Captions in the published form, cut into sentences by attribute group and joined to a data set.

The published form is one JSON file per split and modality, `train_NI.json`, that holds
`[{"item": image file name, "description": caption}]`.
"""

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nextreid.attributes.grammar import UNPLACED, Grammar
from nextreid.attributes.schema import Schema
from nextreid.captions.caption_set import items as item_names
from nextreid.data.layouts import layout_of
from nextreid.data.rows import SPLITS, Manifest, Row
from nextreid.errors import InputError
from nextreid.modality import PUBLISHED_TAG
from nextreid.observation import Observation, Sentence

FOLDER = "text"
"""Where captions lie beside an RGBNT201 tree or a synthetic world."""

_SLOT = re.compile(r"\{[^{}]*\}?|\[[^\[\]]*\]")
"""What a template left unfilled: `{unknown_age_range}`, `[view]`."""


@dataclass(frozen=True)
class CaptionCount:
    """How many observations found their caption.

    Attributes:
        split, modality: which file.
        file: its name.
        items: captions in it.
        found: observations that found a usable one.
        expected: observations of the split that have the modality.
    """

    split: str
    modality: str
    file: str
    items: int
    found: int
    expected: int


@dataclass(frozen=True)
class OddCaption:
    """A caption that is not as it should be.

    Attributes:
        file: name of the JSON file.
        item: the image's file name.
        reason: `duplicate`, `unknown item`, `ambiguous item`, `empty`, `unfilled slot`, `other
            language`, `literal line break`, `words of no group`.
        text: what it concerns.
        used: whether anything of the caption was used.
    """

    file: str
    item: str
    reason: str
    text: str
    used: bool


@dataclass(frozen=True)
class CaptionStore:
    """Sentences by observation.

    Attributes:
        folder: where they were read.
        counts: one entry per file that was read.
        missing: files that would belong to the data set and are not there.
        unmatched: observations without any caption.
        odd: everything that was not as it should be, in the order of files.
    """

    folder: Path
    counts: tuple[CaptionCount, ...]
    missing: tuple[str, ...]
    unmatched: tuple[str, ...]
    odd: tuple[OddCaption, ...]
    _sentences: Mapping[str, tuple[Sentence, ...]] = field(repr=False)

    def sentences(self, observation: str) -> tuple[Sentence, ...]:
        """Return what is said about an observation, by all its modalities; empty if nothing is."""
        return self._sentences.get(observation, ())

    def observation(self, row: Row) -> Observation:
        """Return a row's observation with its captions.

        Only sentences whose modality the row has are given: an image left out takes its words along.
        """
        said = self.sentences(row.observation)
        return row.to_observation([sentence for sentence in said if sentence.evidence <= set(row.paths)])

    @property
    def found(self) -> dict[str, dict[str, int]]:
        """Split -> modality -> observations that found their caption."""
        table: dict[str, dict[str, int]] = {}
        for count in self.counts:
            table.setdefault(count.split, {})[count.modality] = count.found
        return table


def find_captions(manifest: Manifest) -> Path | None:
    """Return the folder of published captions beside a data set, or None."""
    layout = layout_of(manifest)
    folder = manifest.root / (layout.captions if layout else FOLDER)
    return folder if any((folder / name).is_file() for _, _, name in _expected(manifest)) else None


def read_published(folder: str | Path, manifest: Manifest, schema: Schema) -> CaptionStore:
    """Read published captions and join them to a data set.

    An item belongs to the observation whose image of that split and modality has that file name, or, where
    several have, that path below the data set's folder.
    A sentence with an unfilled template slot, or in another language, is left out and listed; a
    literal `\\n` is taken for a space.

    Args:
        folder: holds any subset of `{train,test}_{RGB,NI,TI}.json` (other modalities by their name).
        manifest: the data set; files of splits it has no rows of are not read.
        schema: its groups are those the captions are cut into.

    Raises:
        InputError: no such file in the folder, or a file that is not of the published form.
    """
    folder = Path(folder)
    expected = _expected(manifest)
    files = [(split, modality, name) for split, modality, name in expected if (folder / name).is_file()]
    if not files:
        held = sorted(path.name for path in folder.iterdir())[:12] if folder.is_dir() else ()
        raise InputError(
            f"{folder} holds no captions for {manifest.name}: found {', '.join(held) or 'nothing'}",
            allowed=f"any of {', '.join(name for _, _, name in expected)}",
        )
    grammar = Grammar(schema)
    sentences: dict[str, list[Sentence]] = defaultdict(list)
    counts: list[CaptionCount] = []
    odd: list[OddCaption] = []
    for split, modality, name in files:
        rows = [row for row in manifest.rows if row.split == split and modality in row.paths]
        owners: dict[str, list[str]] = defaultdict(list)
        for row, long_name in zip(rows, item_names(rows, modality, root=manifest.root), strict=True):
            for known_as in {row.paths[modality].name, long_name}:
                owners[known_as].append(row.observation)
        items = read_items(folder / name)
        found: set[str] = set()
        seen: set[str] = set()
        for item, text in items:
            place = _Place(name, item)
            if item in seen:
                odd.append(place.odd("duplicate", text, used=False))
                continue
            seen.add(item)
            owner = owners.get(item, [])
            if len(owner) != 1:
                odd.append(place.odd("ambiguous item" if owner else "unknown item", item, used=False))
                continue
            said, faults = _cut(grammar, text, modality, place)
            odd += faults
            sentences[owner[0]] += said
            if said:
                found.add(owner[0])
        counts.append(CaptionCount(split, modality, name, len(items), len(found), len(rows)))
    return CaptionStore(
        folder=folder,
        counts=tuple(counts),
        missing=tuple(name for entry in expected if entry not in files for name in entry[2:]),
        unmatched=tuple(row.observation for row in manifest.rows if not sentences.get(row.observation)),
        odd=tuple(odd),
        _sentences={name: tuple(said) for name, said in sentences.items()},
    )


def _expected(manifest: Manifest) -> list[tuple[str, str, str]]:
    """Return (split, modality, file name) for what the data set holds."""
    held = [split for split in SPLITS if any(row.split == split for row in manifest.rows)]
    tags = {name: PUBLISHED_TAG.get(name, name) for name in manifest.modalities}
    return [(split, name, f"{split}_{tag}.json") for split in held for name, tag in tags.items()]


def read_items(path: Path) -> list[tuple[str, str]]:
    """Read one file of the published form: (item, description) of each entry, as they stand there.

    Raises:
        InputError: a file that is not of the published form, naming file and entry.
    """
    form = 'a list of {"item": image file name, "description": caption}'
    try:
        entries = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:  # not UTF-8, or not JSON
        raise InputError(f"{path} is not JSON: {error}", allowed=form) from error
    if not isinstance(entries, list):
        raise InputError(f"{path} holds {type(entries).__name__}", allowed=form)
    items = []
    for number, entry in enumerate(entries, start=1):
        item = entry.get("item") if isinstance(entry, dict) else None
        text = entry.get("description") if isinstance(entry, dict) else None
        if not isinstance(item, str) or not isinstance(text, str):
            raise InputError(f"{path}, entry {number}: {str(entry)[:80]}", allowed=form)
        items.append((item, text))
    return items


@dataclass(frozen=True)
class _Place:
    """One caption's place, for the list of odd ones."""

    file: str
    item: str

    def odd(self, reason: str, text: str, *, used: bool) -> OddCaption:
        return OddCaption(self.file, self.item, reason, text, used)


def _cut(
    grammar: Grammar, text: str, modality: str, place: _Place
) -> tuple[list[Sentence], list[OddCaption]]:
    """Cut a caption into sentences of groups; list what is odd about it."""
    kept, faults = cleaned(text)
    pieces = grammar.read(kept)
    said = [
        Sentence(piece.group, piece.text, evidence=frozenset({modality}))
        for piece in pieces
        if piece.group != UNPLACED
    ]
    faults += [("words of no group", piece.text) for piece in pieces if piece.group == UNPLACED]
    return said, [place.odd(reason, what, used=bool(said)) for reason, what in faults]


def cleaned(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Return what of a caption can be used, and what is odd about it.

    Returns:
        The sentences without unfilled slots and words in other scripts, and (reason, text) of everything
        odd; reasons as in `OddCaption`: `literal line break`, `unfilled slot`, `other language`, `empty`.
    """
    faults: list[tuple[str, str]] = []
    if "\\n" in text or "\\r" in text:
        faults.append(("literal line break", text))
        text = text.replace("\\r", " ").replace("\\n", " ")
    kept: list[str] = []
    for sentence in re.split(r"(?<=[.!?。])\s+", " ".join(text.split())):
        if _SLOT.search(sentence):
            faults.append(("unfilled slot", sentence))
        elif any(_foreign(sentence)):
            faults.append(("other language", sentence))
        elif sentence:
            kept.append(sentence)
    if not text.strip():
        faults.append(("empty", ""))
    return " ".join(kept), faults


def _foreign(text: str) -> Iterator[str]:
    """Yield the letters that are not Latin ones."""
    for sign in text:
        if not sign.isascii() and sign.isalpha() and not unicodedata.name(sign, "").startswith("LATIN"):
            yield sign
