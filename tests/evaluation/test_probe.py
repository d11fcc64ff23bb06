"""The probe as a whole: who knows everything scores everything, who knows nothing scores chance."""

import numpy as np
import pandas as pd
import pytest
from probe_cases import PART, Blank, Knowing, boat_data, boats, write_boats, write_parts

from nextreid.data.manifest import Row
from nextreid.errors import ImageError, InputError
from nextreid.evaluation.probe.data import ProbeData
from nextreid.evaluation.probe.probe import ProbeSettings, probe
from nextreid.evaluation.probe.truth import HIDDEN, read_truth

SETTINGS = ProbeSettings(sentences=40, gallery=30, seed=3)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return boat_data(tmp_path_factory.mktemp("boats"), count=60, train=12)


def test_who_knows_everything_scores_everything(data):
    found = probe(Knowing(data), data, ("rgb", "tir"), settings=SETTINGS)
    assert found.images == {"rgb": 48, "tir": 48}
    assert {(s.attribute, s.modality) for s in found.attributes if s.cut == "all"} == {
        *((name, "rgb") for name in ("hull", "mast", "flag", "sky")),
        *((name, "tir") for name in ("hull", "mast", "sky")),  # thermal images show no flag
    }
    assert all(s.balanced == s.accuracy == 1.0 and s.error_removed == 1.0 for s in found.attributes)
    assert {(s.name, s.modality) for s in found.pointing} == {
        (name, modality)
        for name in PART
        for modality in ("rgb", "tir")
        if (name, modality) != ("flag", "tir")
    }
    for score in found.pointing:
        assert score.accuracy == 1.0
        assert score.chance == 1 / 8  # one patch of eight
        assert score.position == pytest.approx(0.5, abs=0.05)  # the object is mirrored in every second image
        assert score.away.accuracy == 1.0
    assert {s.gallery for s in found.retrieval} == {"rgb", "tir", "mixed"}
    assert {s.sentences for s in found.retrieval} == {"any", "specific"}
    for score in found.retrieval:
        if score.direction == "sentence-to-image":
            assert score.metrics["rank1"] == 1.0, score
            assert score.queries <= 40
            assert score.candidates == 30
            assert score.metrics["rank1"] > score.chance["rank1"]


def test_who_knows_nothing_scores_chance(data):
    found = probe(Blank(data), data, ("rgb", "tir"), settings=SETTINGS)
    for score in found.attributes:
        assert score.balanced == pytest.approx(score.chance)
        assert score.times_chance == pytest.approx(1.0)
        assert score.error_removed == pytest.approx(0.0, abs=1e-12)
        assert not score.enough
    ranks = [s.metrics["rank1"] - s.chance["rank1"] for s in found.retrieval]
    assert abs(np.mean(ranks)) < 0.1  # a gallery in random order
    for score in found.pointing:  # patch 0 every time: it lies on the flag of even observations
        assert score.accuracy == pytest.approx(0.5 if score.name == "flag" else 0.0, abs=0.05)


def test_a_probe_depends_on_its_seed_alone_and_not_on_batches(data):
    first = probe(Knowing(data, batch=7), data, ("rgb",), settings=SETTINGS)
    again = probe(Knowing(data, batch=1), data, ("rgb",), settings=SETTINGS)
    assert first == again
    other = probe(Knowing(data), data, ("rgb",), settings=ProbeSettings(sentences=40, gallery=30, seed=4))
    assert other.attributes == first.attributes
    assert other.retrieval != first.retrieval


def test_one_modality_has_no_mixed_gallery(data):
    found = probe(Knowing(data), data, ("tir",), settings=SETTINGS)
    assert {s.gallery for s in found.retrieval} == {"tir"}
    assert "flag in tir" not in {gap.what for gap in found.unmeasured}  # it cannot be seen there


def test_what_cannot_be_scored_is_named(data):
    found = probe(Knowing(data), data, ("rgb",), settings=ProbeSettings(least=1000))
    assert found.attributes == ()
    assert {gap.what for gap in found.unmeasured} >= {"hull in rgb", "mast in rgb", "flag in rgb"}


def test_captions_do_where_there_is_no_truth(data):
    captions = {(row.observation, "rgb"): "The hull is red." for row in data.rows[:3]}
    captions |= {(row.observation, "rgb"): "A tall mast stands." for row in data.rows[3:9]}
    bare = ProbeData(data.rows[:9], data.schema, captions=captions)
    found = probe(Knowing(data), bare, ("rgb",), settings=SETTINGS)
    assert found.attributes == found.pointing == ()
    assert {gap.what for gap in found.unmeasured} >= {"attribute accuracy", "pointing accuracy"}
    to_image = next(s for s in found.retrieval if s.direction == "sentence-to-image")
    assert to_image.words == "captions"
    assert to_image.queries == 2
    assert to_image.chance["rank1"] == pytest.approx((3 / 9 + 6 / 9) / 2)


def test_nothing_to_measure_is_an_error(data):
    with pytest.raises(InputError, match="neither truth nor captions"):
        probe(Knowing(data), ProbeData(data.rows, data.schema), ("rgb",))
    with pytest.raises(InputError, match=r"modality sonar.*rgb, tir"):
        probe(Knowing(data), data, ("rgb", "sonar"))
    with pytest.raises(InputError, match="none given"):
        probe(Knowing(data), data, ())
    with pytest.raises(InputError, match="gallery of 2"):
        ProbeSettings(gallery=1)


def test_without_evidence_nothing_is_pointed_at(tmp_path):
    manifest = write_boats(tmp_path, 12)
    write_parts(tmp_path, {"kind": "boat", "values": {"0": "background"}})
    data = ProbeData(manifest.rows, boats(), (), read_truth(manifest, boats()))
    found = probe(Knowing(data), data, ("rgb",), settings=SETTINGS)
    assert found.pointing == ()
    assert {gap.why for gap in found.unmeasured} >= {"there is no parts.json, or it names no evidence"}
    (tmp_path / "parts.json").unlink()
    assert read_truth(manifest, boats()).evidence is None


def test_without_another_split_no_position_is_chosen(tmp_path):
    data = boat_data(tmp_path, 12)
    found = probe(Knowing(data), data, ("rgb",), settings=SETTINGS)
    assert all(score.position is None and score.away is None for score in found.pointing)
    assert "pointing by position" in {gap.what for gap in found.unmeasured}


def test_a_missing_mask_is_an_error_that_names_it(tmp_path):
    data = boat_data(tmp_path, 12)
    (tmp_path / "parts" / "rgb" / "b003.png").unlink()
    with pytest.raises(ImageError, match=r"b003\.png"):
        probe(Knowing(data), data, ("rgb",))


def test_truth_is_read_as_it_was_written(tmp_path):
    manifest = write_boats(tmp_path, 15)
    truth, table = read_truth(manifest, boats()), pd.read_parquet(tmp_path / "truth.parquet")
    for modality in ("rgb", "tir"):
        codes = truth.shown(manifest.rows, modality)
        for row, shown in zip(manifest.rows, codes, strict=True):
            here = table[
                (table.observation == row.observation) & (table.modality == modality) & table.visible
            ]
            told = dict(zip(here.attribute, here.value, strict=True))
            for attribute, code in zip(boats().attributes, shown, strict=True):
                value = None if code == HIDDEN else attribute.values[code]
                assert told.get(attribute.name) == value
    assert (truth.shown(manifest.rows, "sonar") == HIDDEN).all()
    stranger = Row(index=1, source="m.csv", observation="x", paths={"rgb": tmp_path / "x.png"})
    assert (truth.shown([stranger], "rgb") == HIDDEN).all()
    assert truth.daylight is None
    assert read_truth(write_boats(tmp_path / "other", 2), boats()) is not None


def test_daylight_is_by_day_and_not_dim(tmp_path):
    from nextreid.attributes.schema import load_schema

    facts = [
        ("a", "daytime", "bright"),
        ("b", "daytime", "dim"),  # dusk
        ("c", "nighttime", "normal"),
        ("d", "daytime", "normal"),
    ]
    rows = [
        (name, "rgb", attribute, value, True)
        for name, time, light in facts
        for attribute, value in (("time_of_day", time), ("illumination", light))
    ]
    columns = ["observation", "modality", "attribute", "value", "visible"]
    manifest = write_boats(tmp_path, 2)
    pd.DataFrame(rows, columns=columns).to_parquet(tmp_path / "truth.parquet")
    (tmp_path / "parts.json").unlink()
    listed = manifest.keep(
        Row(index=i, source="m.csv", observation=name, paths={"rgb": tmp_path / name})
        for i, name in enumerate(("d", "c", "b", "a", "stranger"))
    )
    truth = read_truth(listed, load_schema("person"))
    assert truth.lit(listed.rows).tolist() == [True, False, False, True, False]


def _spoil(root, name):
    table = pd.read_parquet(root / "truth.parquet")
    if name == "column":
        table = table.drop(columns="visible")
    elif name == "value":
        table.loc[3, "value"] = "pink"
    elif name == "attribute":
        table.loc[3, "attribute"] = "anchor"
    elif name == "words":
        table["visible"] = table["visible"].map({True: "True", False: "False"})
    elif name == "gap":
        table["visible"] = table["visible"].astype(object).where(table.index != 3, None)
    elif name == "others":
        table["observation"] = "x" + table["observation"]
    elif name == "empty":
        table = table[:0]
    table.to_parquet(root / "truth.parquet")
    if name == "bytes":
        (root / "truth.parquet").write_bytes(b"PAR1 no")
    if name == "kind":
        write_parts(root, {"kind": "car", "values": {}, "evidence": {}})
    if name == "part":
        write_parts(root, {"kind": "boat", "values": {"1": "hull"}, "evidence": {"mast": ["pole"]}})
    if name == "json":
        (root / "parts.json").write_text("{")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("column", "no column visible"),
        ("value", r"row 4: \w+ = 'pink'.*Allowed: "),
        ("attribute", "row 4: anchor"),
        ("words", "column visible holds"),
        ("gap", "column visible holds"),
        ("others", "none of the observations"),
        ("empty", "is empty"),
        ("bytes", "cannot be read"),
        ("kind", "about a car"),
        ("part", "pole"),
        ("json", "damaged"),
    ],
)
def test_a_spoilt_world_is_an_error(tmp_path, name, said):
    manifest = write_boats(tmp_path, 3)
    _spoil(tmp_path, name)
    with pytest.raises(InputError, match=said):
        read_truth(manifest, boats())
