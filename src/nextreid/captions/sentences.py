"""Which sentences a model hears: found by name, read from a caption set or from published files."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nextreid.attributes.schema import Schema
from nextreid.captions.caption_set import TABLE, TEXT, check_finished, read_caption_set
from nextreid.captions.origin import set_from_truth, truth_of_world
from nextreid.captions.published import OddCaption, find_captions, read_published
from nextreid.captions.slots import UNFILLED, Slot
from nextreid.data.rows import Manifest, Row
from nextreid.errors import InputError
from nextreid.observation import Sentence

SETS = "captions"
"""Folder of a data set that holds its caption sets, each under its name."""


ANSWER_BESIDE = "none (those beside the data describe the answer)"
"""The source where `auto` finds only captions written from a world's truth, and passes them over."""


@dataclass(frozen=True)
class Captions:
    """Captions of a data set, joined to its observations.

    Attributes:
        source: what results say: the folder, or "none" and why.
        from_truth: they were made from a synthetic world's truth, so they describe the answer.
        odd: captions that were not as they should be; none in a caption set, which is checked as a whole.
    """

    source: str = "none"
    from_truth: bool = False
    odd: tuple[OddCaption, ...] = ()
    _said: Mapping[str, tuple[Sentence, ...]] = field(default_factory=dict, repr=False)

    def sentences(self, observation: str) -> tuple[Sentence, ...]:
        """Return what is said about an observation, by all its modalities; empty if nothing is."""
        return self._said.get(observation, ())


def captions_of(manifest: Manifest, choice: str, schema: Schema, *, truth: bool) -> Captions:
    """Find and read the captions of a data set.

    Args:
        manifest: the data set.
        choice: auto (published files beside the data) | none | the name of a caption set of the data
            (a folder of `captions/` in it) | a folder: a caption set, or files of the published form.
        schema: whose groups the sentences belong to.
        truth: whether `auto` takes captions that a synthetic world wrote from its truth.

    Raises:
        InputError: a folder without captions, a damaged file, captions of other observations or of
            another kind of object.
    """
    if choice == "none":
        return Captions()
    if choice != "auto":
        return read_captions(find_set(manifest, choice), manifest, schema)
    folder = find_captions(manifest)
    if folder is None:
        return Captions("none (no caption files beside the data)")
    if not truth and truth_of_world(folder):
        return Captions(ANSWER_BESIDE)
    return read_captions(folder, manifest, schema)


def count_described(captions: Captions, choice: str, rows: Sequence[Row]) -> int:
    """Return how many training observations found a caption.

    Args:
        captions: of the data set.
        choice: as for `captions_of`.
        rows: the training observations.

    Raises:
        InputError: none, of captions that were asked for by name.
    """
    described = sum(bool(captions.sentences(row.observation)) for row in rows)
    if choice not in ("auto", "none") and not described:
        raise InputError(
            f"The captions {captions.source} describe none of the {len(rows)} training observations",
            allowed="captions of the training split",
            do="make some (`nextreid caption generate` without --split describes both splits), or train "
            "with --data.captions none",
        )
    return described


def set_names(manifest: Manifest) -> tuple[str, ...]:
    """Return the names of a data set's caption sets, sorted."""
    folder = manifest.root / SETS
    return tuple(sorted(path.name for path in folder.iterdir() if path.is_dir())) if folder.is_dir() else ()


def find_set(manifest: Manifest, choice: str) -> Path:
    """Return the folder that a name or path means; a name of the data set's own goes first.

    Raises:
        InputError: neither a set of the data nor a folder.
    """
    names = set_names(manifest)
    if choice in names:
        return manifest.root / SETS / choice
    if Path(choice).is_dir():
        return Path(choice)
    own = f"a set of the data ({', '.join(names)})" if names else f"a set under {manifest.root / SETS}"
    beside = manifest.root / choice
    raise InputError(
        f"There is no captions folder {choice}",
        allowed=f"auto, none, {own}, or a folder",
        do=f"give {beside}: a folder is looked for from the current one" if beside.is_dir() else None,
    )


def read_captions(folder: str | Path, manifest: Manifest, schema: Schema) -> Captions:
    """Read the sentences of a folder, whichever kind of captions it holds.

    Args:
        folder: a caption set with its table, or a folder with files of the published form (or with a
            folder `text` of them).
        manifest: the data set.
        schema: whose groups the sentences belong to.

    Raises:
        InputError: as `captions_of`.
    """
    folder = Path(folder)
    if (folder / TABLE).is_file():
        return _from_set(folder, manifest, schema)
    check_finished(folder)
    files = folder / TEXT if (folder / TEXT).is_dir() else folder
    store = read_published(files, manifest, schema)
    said = {row.observation: store.sentences(row.observation) for row in manifest.rows}
    return Captions(
        str(folder), from_truth=truth_of_world(files, root=manifest.root), odd=store.odd, _said=said
    )


def _from_set(folder: Path, manifest: Manifest, schema: Schema) -> Captions:
    held = read_caption_set(folder)
    if held.schema.kind != schema.kind:
        raise InputError(
            f"{folder} holds captions of the {held.schema.kind} schema",
            allowed=f"captions of the {schema.kind} schema, whose groups the model's experts listen to",
        )
    known = {row.observation: set(row.paths) for row in manifest.rows}
    said: dict[str, list[Sentence]] = defaultdict(list)
    for (observation, modality), slots in held.table.of.items():
        if modality in known.get(observation, ()):
            said[observation] += sentences_of(slots)
    if held.table.rows and not said:
        raise InputError(
            f"{folder} describes none of the images of {manifest.source}",
            allowed="captions of the same data set",
        )
    models = {model for slot in held.table.slots for model in slot.source_model}
    return Captions(
        str(folder),
        from_truth=set_from_truth(held.run, models),
        _said={name: tuple(sentences) for name, sentences in said.items()},
    )


def sentences_of(slots: Sequence[Slot]) -> tuple[Sentence, ...]:
    """Return the sentences of one caption: one a group of which any slot is filled.

    A sentence is as sure as its slots are on average, and rests on every modality that any of them rests
    on: it is heard only where all of these are present.

    Args:
        slots: of one observation and modality, in order.
    """
    groups: dict[str, list[Slot]] = {}
    for slot in slots:
        if slot.value != UNFILLED:
            groups.setdefault(slot.group, []).append(slot)
    sentences = []
    for group, filled in groups.items():
        sure = [slot.confidence for slot in filled if slot.confidence is not None]
        sentences.append(
            Sentence(
                group,
                filled[0].sentence,
                confidence=sum(sure) / len(sure) if sure else None,
                evidence=frozenset(
                    name for slot in filled for name in slot.source_modality or (slot.modality,)
                ),
            )
        )
    return tuple(sentences)
