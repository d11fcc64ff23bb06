"""What a result was made from: whether its file, its embeddings and its data are still the same."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

from nextreid.data.manifest import Manifest, load_manifest
from nextreid.embedding.embeddings import Embeddings, load_embeddings
from nextreid.errors import InputError
from nextreid.evaluation.results.provenance import checksum, sha256_of


@dataclass(frozen=True)
class Finding:
    """One check.

    Attributes:
        what: the part of the result, e.g. `metrics`, `embeddings`.
        ok: whether it holds; None where it could not be checked.
        detail: what was found.
    """

    what: str
    ok: bool | None
    detail: str


def check_file(results: Path, document: Mapping[str, Any]) -> Finding:
    """Check the checksum that the file carries."""
    if "checksum" not in document:
        return Finding("file", None, "carries no checksum (an older nextreid wrote it)")
    if checksum(results.read_text(encoding="utf-8")) != document["checksum"]:
        return Finding("file", False, "was changed after it was written: its own checksum does not agree")
    return Finding("file", True, "is as it was written, by its checksum")


def check_embeddings(
    results: Path, document: Mapping[str, Any], given: Path | str | None
) -> tuple[Embeddings | None, Finding]:
    """Find the embeddings, check their SHA-256 and read them; None where that cannot be done.

    Args:
        results: the results file. document: its content.
        given: where they are, if not where the file says.
    """
    noted = document.get("embeddings")
    if noted and not _is_source(noted):
        return None, Finding("embeddings", False, "the file does not say where they are, or their sha256")
    if not noted:
        return None, Finding(
            "embeddings", False, "the file names none: evaluate again, without --save-embeddings none"
        )
    place = _place(noted["path"], results, given)
    if place is None:
        return None, Finding("embeddings", False, _missing(noted["path"], results, given, "--embeddings E"))
    sha256 = sha256_of(place)
    try:
        vectors = load_embeddings(place)
    except InputError as error:
        return None, Finding("embeddings", False, f"{place} cannot be read: {error}")
    if sha256 != noted["sha256"]:
        return vectors, Finding(
            "embeddings",
            False,
            f"{place} is not the file that was scored: sha256 {sha256[:12]}, the results say "
            f"{str(noted['sha256'])[:12]}",
        )
    return vectors, Finding("embeddings", True, f"{place}, {len(vectors)} vectors, by their sha256")


def check_data(
    results: Path, document: Mapping[str, Any], given: Path | str | None, layout: str | None
) -> tuple[Manifest | None, Finding]:
    """Find the data set, check its SHA-256 and read it; None where that cannot be done.

    What could not be read when the result was made is left out again.

    Args:
        results: the results file. document: its content.
        given, layout: where it is, and its layout, if not as the file says.
    """
    noted, settings = document.get("data"), document.get("settings")
    if not _is_source(noted) or not isinstance(settings, Mapping):
        return None, Finding("data", False, "the file does not say where it is, or its sha256 or settings")
    place = _place(noted["path"], results, given)
    if place is None:
        return None, Finding("data", False, _missing(noted["path"], results, given, "--data D"))
    try:
        manifest = _read(place, noted["sha256"], layout, settings.get("layout"))
    except InputError as error:
        return None, Finding("data", False, f"{place} cannot be read: {error}")
    if manifest.sha256 != noted["sha256"]:
        detail = f"sha256 {manifest.sha256[:12]}, the results say {str(noted['sha256'])[:12]}"
        return manifest, Finding("data", False, f"{place} is not what was scored: {detail}")
    try:
        rest = _without(manifest, settings.get("left_out"))
    except (AttributeError, KeyError, TypeError):
        return None, Finding("data", False, "the file does not name what was left out as it should")
    return rest, Finding("data", True, f"{place}, by its sha256")


def _read(place: Path, sha256: str, given: str | None, noted: str | None) -> Manifest:
    """Read a data set as it was read for the results: as it is found, or as the layout they note.

    Their layout may be what a manifest in the folder was imported from; the folder is then not read by it.
    """
    if given or not noted or not place.is_dir():
        return load_manifest(place, layout=given)
    try:
        manifest = load_manifest(place)
    except InputError:
        return load_manifest(place, layout=noted)
    return manifest if manifest.sha256 == sha256 else load_manifest(place, layout=noted)


def _is_source(noted: Any) -> TypeGuard[Mapping[str, str]]:
    return isinstance(noted, Mapping) and all(isinstance(noted.get(key), str) for key in ("path", "sha256"))


def _place(noted: str, results: Path, given: Path | str | None) -> Path | None:
    """Return where a file or folder lies, the first of `_places`; None: nowhere."""
    return next((place for place in _places(noted, results, given) if place.exists()), None)


def _places(noted: str, results: Path, given: Path | str | None) -> tuple[Path, ...]:
    """Return where a file or folder may lie.

    As given; or else as noted (relative to the results, to the current folder, to a folder above the
    results: the one that `evaluate` was run in), or by its name beside the results.
    """
    if given is not None:
        return (Path(given),)
    folder = results.absolute().parent
    above = (parent / noted for parent in folder.parents)
    found = (folder / noted, Path.cwd() / noted, *above, folder / Path(noted).name)  # an absolute one stays
    return tuple(dict.fromkeys(found))


def _missing(noted: str, results: Path, given: Path | str | None, option: str) -> str:
    places = ", ".join(str(place) for place in _places(noted, results, given))
    if given is not None:
        return f"missing: there is nothing at {places}"
    return f"missing: {noted} was looked for at {places}; say where it is with {option}"


def _without(manifest: Manifest, left_out: Mapping[str, Any] | None) -> Manifest:
    """Leave out the images that could not be read when the result was made."""
    gone: dict[str, set[str]] = {}
    for entry in (left_out or {}).get("list", ()):
        gone.setdefault(entry["observation"], set()).add(entry["modality"])
    if not gone:
        return manifest
    rows = []
    for row in manifest.rows:
        paths = {name: file for name, file in row.paths.items() if name not in gone.get(row.observation, ())}
        boxes = {name: box for name, box in row.boxes.items() if name in paths}
        if paths:
            rows.append(row if len(paths) == len(row.paths) else replace(row, paths=paths, boxes=boxes))
    return manifest.keep(rows)
