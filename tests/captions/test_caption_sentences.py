"""Sentences of caption sets: found by name, as sure as their slots, resting on all their evidence."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from nextreid.attributes import load_schema
from nextreid.captions.caption_set import write_caption_set
from nextreid.captions.sentences import captions_of, sentences_of, set_names
from nextreid.captions.slots import UNFILLED, Slot
from nextreid.captions.table import CaptionTable
from nextreid.cli.main import main
from nextreid.data.manifest import Manifest, load_manifest
from nextreid.errors import InputError
from nextreid.observation import Sentence

PERSON = load_schema("person")
COAT = "The person is wearing a red coat."


def slot(**changes: object) -> Slot:
    values: dict[str, object] = {
        "observation": "first",
        "modality": "rgb",
        "group": "clothing",
        "attribute": "upper",
        "value": "coat",
        "confidence": 0.9,
        "source_modality": ("rgb",),
        "source_model": ("clip:builtin:clip-small",),
        "sentence": COAT,
    }
    return Slot(**(values | changes))  # type: ignore[arg-type]


SLOTS = (
    slot(),
    slot(attribute="upper_colour", value="red", confidence=0.5),
    slot(group="carrying", attribute="carrying", value="book", confidence=0.7, sentence="She holds a book."),
    slot(modality="nir", confidence=0.6, source_modality=("rgb", "nir")),
    slot(observation="second", value="dress", sentence="A dress.", source_model=("b", "clip:x")),
    slot(observation="elsewhere", value="dress", sentence="A dress."),
)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    (tmp_path / "manifest.csv").write_text(
        "observation,split,rgb,nir\nfirst,train,x/a.jpg,y/a.jpg\nsecond,test,x/b.jpg,\nthird,test,x/c.jpg,\n"
    )
    return load_manifest(tmp_path)


def write_set(manifest: Manifest, name: str, slots: tuple[Slot, ...] = SLOTS) -> Path:
    folder = manifest.root / "captions" / name
    write_caption_set(folder, CaptionTable(slots), manifest.rows, PERSON, run={}, root=manifest.root)
    return folder


def write_published(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "train_RGB.json").write_text(json.dumps([{"item": "a.jpg", "description": text}]))
    return folder


def test_a_sentence_is_as_sure_as_its_slots_and_rests_on_all_their_evidence(manifest: Manifest) -> None:
    write_set(manifest, "ours")
    captions = captions_of(manifest, "ours", PERSON, truth=False)
    coat, *others = captions.sentences("first")
    assert coat.confidence == pytest.approx(0.7)
    assert replace(coat, confidence=0.7) == Sentence(
        "clothing", COAT, confidence=0.7, evidence=frozenset({"rgb"})
    )
    assert tuple(others) == (
        Sentence("carrying", "She holds a book.", confidence=0.7, evidence=frozenset({"rgb"})),
        Sentence("clothing", COAT, confidence=0.6, evidence=frozenset({"rgb", "nir"})),
    )
    assert [s.text for s in captions.sentences("second")] == ["A dress."]
    assert captions.sentences("third") == captions.sentences("elsewhere") == ()
    assert (captions.source, captions.from_truth, captions.odd) == (
        str(manifest.root / "captions" / "ours"),
        False,
        (),
    )


def test_what_is_not_known_is_neither_evidence_nor_doubt() -> None:
    unknown = slot(attribute="shoes", value=UNFILLED, confidence=None, source_modality=())
    (said,) = sentences_of([replace(slot(), confidence=None), unknown])
    assert (said.confidence, said.evidence) == (None, frozenset({"rgb"}))
    (said,) = sentences_of([slot(), replace(slot(), attribute="lower", confidence=None)])
    assert said.confidence == 0.9  # of those that have one
    (said,) = sentences_of([slot(modality="nir", source_modality=())])
    assert said.evidence == {"nir"}  # imported captions: what was described
    assert sentences_of([unknown]) == ()
    assert sentences_of([]) == ()


def test_a_name_of_the_data_goes_before_a_folder_of_that_name(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_set(manifest, "ours")
    write_published(manifest.root / "captions" / "theirs", "A man. He is wearing a hoodie.")
    beside = write_published(tmp_path / "elsewhere" / "ours", "A man. He is wearing a shirt.")
    assert set_names(manifest) == ("ours", "theirs")
    monkeypatch.chdir(tmp_path / "elsewhere")
    texts = {
        choice: [s.text for s in captions_of(manifest, choice, PERSON, truth=False).sentences("first")]
        for choice in ("ours", "theirs", str(beside), "./ours")
    }
    assert texts["ours"][0] == COAT
    assert texts["theirs"] == ["A man.", "He is wearing a hoodie."]
    assert texts[str(beside)] == texts["./ours"] == ["A man.", "He is wearing a shirt."]
    with pytest.raises(InputError, match=r"captions folder others.*\(ours, theirs\)"):
        captions_of(manifest, "others", PERSON, truth=False)
    (manifest.root / "text").mkdir()
    with pytest.raises(InputError, match=r"captions folder text.* give ") as caught:
        captions_of(manifest, "text", PERSON, truth=False)
    assert f"give {manifest.root / 'text'}" in str(caught.value)


def test_published_text_of_a_set_without_table_is_read(manifest: Manifest) -> None:
    folder = manifest.root / "captions" / "exported"
    write_published(folder / "text", "A man. He is wearing a hoodie.")
    captions = captions_of(manifest, "exported", PERSON, truth=False)
    assert [s.evidence for s in captions.sentences("first")] == [frozenset({"rgb"})] * 2
    assert captions.source == str(folder)


def test_what_was_made_from_a_worlds_truth_is_labelled(manifest: Manifest) -> None:
    root = manifest.root
    (root / "world.json").write_text("{}")
    write_published(root / "text", "A man. He is wearing a hoodie.")
    assert captions_of(manifest, "auto", PERSON, truth=True).from_truth
    assert captions_of(manifest, "auto", PERSON, truth=False).source.startswith("none (")
    assert captions_of(manifest, str(root), PERSON, truth=False).from_truth  # the same files
    write_set(manifest, "looked")
    assert not captions_of(manifest, "looked", PERSON, truth=False).from_truth
    write_set(
        manifest, "drawn", (*SLOTS[:-1], slot(observation="third", source_model=("simulated:a", "clip")))
    )
    assert captions_of(manifest, "drawn", PERSON, truth=False).from_truth
    assert captions_of(manifest, "none", PERSON, truth=True).sentences("first") == ()


def test_the_truth_in_words_stays_the_truth_by_whatever_way_it_came(
    manifest: Manifest, tmp_path: Path
) -> None:
    root = manifest.root
    theirs = write_published(tmp_path / "theirs" / "text", "A man. He is wearing a hoodie.")
    (root / "world.json").write_text("{}")
    own = write_published(root / "text", "A man. He is wearing a shirt.")
    copied = Path(shutil.copytree(own, tmp_path / "copied"))
    sets = root / "captions"

    def caption(verb: str, source: Path, name: str) -> bool:
        words = ["caption", verb, "--data", str(root), "--out", str(sets / name), "--quiet"]
        given = ["--backend", "replay", "--split", "train", "--modalities", "rgb", "--model", str(source)]
        assert main([*words, *(given if verb == "generate" else [str(source)])]) == 0
        return captions_of(manifest, name, PERSON, truth=False).from_truth

    assert caption("import", own, "imported")
    assert caption("import", copied, "of_a_copy")
    assert caption("import", sets / "imported" / "text", "imported_again")
    assert not caption("import", theirs, "theirs")
    assert caption("generate", own, "replayed")
    assert caption("generate", root, "of_the_world")
    assert caption("generate", sets / "replayed", "replayed_again")
    assert caption("generate", sets / "imported", "of_the_table")
    assert not caption("generate", theirs, "others")
    merge = ["caption", "merge", *(str(sets / name) for name in ("others", "replayed")), "--data", str(root)]
    assert main([*merge, "--out", str(sets / "both"), "--quiet"]) == 0
    assert captions_of(manifest, "both", PERSON, truth=False).from_truth


def test_captions_of_other_things_are_refused(manifest: Manifest) -> None:
    write_set(manifest, "ours")
    with pytest.raises(InputError, match=r"person schema.*vehicle schema"):
        captions_of(manifest, "ours", load_schema("vehicle"), truth=False)
    write_set(manifest, "strange", SLOTS[-1:])
    with pytest.raises(InputError, match="describes none of the images"):
        captions_of(manifest, "strange", PERSON, truth=False)
    (write_set(manifest, "torn") / "run.yaml").unlink()
    with pytest.raises(InputError, match=r"no run\.yaml"):
        captions_of(manifest, "torn", PERSON, truth=False)
    (manifest.root / "captions" / "empty").mkdir()
    with pytest.raises(InputError, match="holds no captions"):
        captions_of(manifest, "empty", PERSON, truth=False)


def test_a_set_that_says_nothing_is_no_error(manifest: Manifest) -> None:
    write_set(manifest, "silent", ())
    assert captions_of(manifest, "silent", PERSON, truth=False).sentences("first") == ()
