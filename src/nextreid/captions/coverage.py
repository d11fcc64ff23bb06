"""Which images of a data set have no published caption beside it: for `nextreid data check`.

Captions of one modality that are missing while those of another are there leave that modality without words,
which changes what a text-guided model sees; published loaders pass an empty caption without a word.
"""

from collections.abc import Iterator
from pathlib import Path

from nextreid.captions.caption_set import items as item_names
from nextreid.captions.published import find_captions, read_items
from nextreid.data.findings import Finding, few
from nextreid.data.rows import SPLITS, Manifest
from nextreid.modality import PUBLISHED_TAG


def caption_findings(manifest: Manifest) -> tuple[Finding, ...]:
    """Return what is missing of the captions beside a data set; nothing where there are none at all.

    Args:
        manifest: the data set; its captions are looked for where its layout has them, or in `text`.

    Raises:
        InputError: a caption file that is not of the published form.
    """
    folder = find_captions(manifest)
    if folder is None:
        return ()
    return tuple(
        finding
        for split in SPLITS
        for modality in manifest.modalities
        for finding in _of_file(manifest, folder, split, modality)
    )


def _of_file(manifest: Manifest, folder: Path, split: str, modality: str) -> Iterator[Finding]:
    rows = [row for row in manifest.rows if row.split == split and modality in row.paths]
    file = folder / f"{split}_{PUBLISHED_TAG.get(modality, modality)}.json"
    if not rows:
        return
    if not file.is_file():
        yield Finding(
            "warning",
            "captions-missing",
            f"There are captions in {folder}, but no {file.name}: {len(rows)} {modality} images of {split} "
            "have no words",
            "add the file, or train without text",
            modality=modality,
            files=(file,),
        )
        return
    said = {item for item, text in read_items(file) if text.strip()}
    names = zip(rows, item_names(rows, modality, root=manifest.root), strict=True)
    silent = [row for row, name in names if name not in said and row.paths[modality].name not in said]
    if silent:
        yield Finding.about(
            silent,
            "warning",
            "captions-missing",
            f"{file.name} has no caption for {len(silent)} of {len(rows)} {modality} images: "
            f"{few(row.observation for row in silent)}",
            "caption them, or leave them: these observations are seen without words of that modality",
            modality=modality,
            files=[file],
        )
