"""The written world: files, columns, captions, determinism, refusals."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from nextreid.attributes.schema import load_schema
from nextreid.errors import InputError
from nextreid.modality import NIR, PUBLISHED_TAG, RGB, TIR
from nextreid.synthetic.kinds import load_kind
from nextreid.synthetic.world import write_world

SMALL = {"identities": 8, "cameras": 2, "per_camera": 2, "seed": 4, "size": (96, 48)}


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("world") / "w"
    summary = write_world(root, **SMALL)
    assert (summary.observations, summary.identities, summary.test_identities) == (32, 8, 4)
    return root


def test_same_seed_same_bytes_with_two_workers_and_another_seed_differs(world, tmp_path):
    write_world(tmp_path / "two", workers=2, **SMALL)
    assert digests(tmp_path / "two") == digests(world)
    write_world(tmp_path / "other", **{**SMALL, "seed": 5})
    assert digests(tmp_path / "other") != digests(world)


def test_manifest_names_files_that_exist(world):
    table = pd.read_csv(world / "manifest.csv", dtype=str)
    expected = (
        "observation identity kind camera scene time view lookalike split is_query is_gallery rgb nir tir"
    )
    assert list(table.columns) == expected.split()
    assert len(table) == 32
    assert table["observation"].is_unique
    for modality in (RGB, NIR, TIR):
        for name, observation in zip(table[modality], table["observation"], strict=True):
            with Image.open(world / name) as picture:
                assert (picture.size, picture.mode) == ((48, 96), "RGB")
            with Image.open(world / "parts" / modality / f"{observation}.png") as mask:
                assert (mask.size, mask.mode) == ((48, 96), "L")
    assert set(table.loc[table["split"] == "test", "is_query"]) == {"true"}
    assert set(table.loc[table["split"] == "train", "is_query"]) == {"false"}
    assert not set(table.loc[table["split"] == "test", "lookalike"]) & set(
        table.loc[table["split"] == "train", "lookalike"]
    )


def test_masks_hold_named_parts_only(world):
    names = json.loads((world / "parts.json").read_text())["values"]
    seen = set()
    for path in (world / "parts").rglob("*.png"):
        seen |= set(np.unique(np.asarray(Image.open(path))).tolist())
    assert seen <= {int(value) for value in names}
    assert {names[str(value)] for value in seen} >= {"background", "upper", "face", "shoe"}


def test_part_names_come_with_the_evidence_of_attributes(world):
    stored = json.loads((world / "parts.json").read_text())
    assert stored["kind"] == "person"
    assert stored["evidence"] == {k: list(v) for k, v in load_kind("person").evidence.items()}
    for words, parts in stored["evidence"].items():
        attribute, _, value = words.partition("=")
        assert not value or value in load_schema("person").attribute(attribute).values
        assert set(parts) <= set(stored["values"].values())


def test_captions_say_what_is_visible_and_nothing_else(world):
    truth = pd.read_parquet(world / "truth.parquet")
    assert list(truth.columns) == ["observation", "modality", "attribute", "value", "visible"]
    schema = load_schema("person")
    for row in truth[truth["visible"]].itertuples():
        assert schema.observable(row.attribute, row.modality)
    visible = truth[truth["visible"]].set_index(["observation", "modality", "attribute"])["value"].to_dict()
    colours = sorted(schema.attribute("upper_colour").values, key=len, reverse=True)
    count = 0
    for split in ("train", "test"):
        for modality, tag in PUBLISHED_TAG.items():
            for entry in json.loads((world / "text" / f"{split}_{tag}.json").read_text()):
                count += 1
                observation, text = entry["item"].removesuffix(".png"), entry["description"]
                assert "unknown" not in text
                if modality != RGB:
                    assert not any(f" {colour} " in text for colour in colours)
                for attribute in ("upper", "lower", "upper_colour", "shoes"):
                    value = visible.get((observation, modality, attribute))
                    if value is not None:
                        assert value in text
                if (observation, modality, "shoes") not in visible:
                    assert "sneakers" not in text
    assert count == 3 * 32


def test_the_benchmark_layout_keeps_truth_beside_it(tmp_path):
    import re

    root = tmp_path / "w"
    write_world(root, layout="rgbnt201", identities=4, cameras=2, per_camera=1, size=(64, 32))
    name = re.compile(r"\d{6}_cam[1-4]_[01]_\d{2}\.jpg")
    for folder in ("train_171", "test"):
        for tag in PUBLISHED_TAG.values():
            files = sorted(path.name for path in (root / folder / tag).iterdir())
            assert len(files) == 4
            assert all(name.fullmatch(file) for file in files)
            items = json.loads((root / "text" / f"{folder.split('_')[0]}_{tag}.json").read_text())
            assert sorted(item["item"] for item in items) == files
    for other in ("truth.parquet", "parts.json", "world.json", "parts/tir"):
        assert (root / other).exists()
    with pytest.raises(InputError, match="4 cameras"):
        write_world(tmp_path / "x", layout="rgbnt201", cameras=5)
    with pytest.raises(InputError, match="kind person"):
        write_world(tmp_path / "x", kind="vehicle", layout="rgbnt201")


def test_world_json_holds_everything_drawn(world):
    stored = json.loads((world / "world.json").read_text())
    assert stored["spec"]["seed"] == 4
    assert len(stored["identities"]) == 8
    assert len(stored["sightings"]) == 32
    assert {"albedo", "nir"} <= set(next(i["detail"]["upper_pattern"] for i in stored["identities"]
                                         if i["detail"]["upper_pattern"]))  # fmt: skip


def test_existing_and_interrupted_folders_are_refused(world, tmp_path):
    with pytest.raises(InputError, match="finished world"):
        write_world(world, **SMALL)
    half = tmp_path / "half"
    (half / "images").mkdir(parents=True)
    with pytest.raises(InputError, match=r"no world\.json.*interrupted"):
        write_world(half, **SMALL)
    with pytest.raises(InputError, match="kind"):
        write_world(tmp_path / "boats", kind="boat")
    with pytest.raises(InputError, match="size"):
        write_world(tmp_path / "tiny", size=(4, 4))
    assert not (tmp_path / "boats").exists()


def test_progress_is_told_and_ends_full(tmp_path):
    from contextlib import contextmanager

    seen = []

    class Bar:
        def advance(self, steps=1):
            seen.append(steps)

        def note(self, text):
            pass

    class Drawn:
        @contextmanager
        def task(self, title, total):
            seen.append(-total)
            yield Bar()

    write_world(tmp_path / "w", identities=4, cameras=1, per_camera=3, size=(64, 32), progress=Drawn())
    assert sum(seen) == 0


@pytest.mark.parametrize("modality", [RGB, NIR, TIR])
def test_pictures_of_a_world_differ_from_each_other(world, modality):
    pictures = {path.read_bytes() for path in (world / "images" / modality).iterdir()}
    assert len(pictures) == 32
