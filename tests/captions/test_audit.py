"""`caption audit`: published figures to the digit, truth, the same files twice, hostile names."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from caption_cases import slots_of, write_published

from nextreid.attributes import Grammar, load_schema
from nextreid.captions import audit_pictures
from nextreid.captions.audit import agreements, audit_sets, coverage
from nextreid.captions.audit_sets import read_sets
from nextreid.captions.audit_tables import audit_markdown
from nextreid.captions.caption_set import write_caption_set
from nextreid.captions.truth import read_truth
from nextreid.cli.main import main
from nextreid.data.manifest import Manifest, load_manifest
from nextreid.errors import InputError

PERSON, VEHICLE = load_schema("person"), load_schema("vehicle")
PUBLISHED = Path(__file__).parents[3] / "shared" / "data" / "captions"
FIGURES = {
    "next_rgbnt201": {
        "words": {"RGB": 201934, "NIR": 190389, "TIR": 167144},
        "total_words": 559467,
        "mean_length": 38.9399,
        "published": {"RGB": 9.80, "NIR": 1.69, "TIR": 0.69, "overall": 4.0596},
        "counts": {"RGB": 469, "NIR": 81, "TIR": 33},
        "strict": {"RGB": 14.81, "NIR": 8.67, "TIR": 8.29, "overall": 10.59},
    },
    "idea_rgbnt201": {
        "words": {"RGB": 162634, "NIR": 172496, "TIR": 172219},
        "total_words": 507349,
        "mean_length": 35.4736,
        "published": {"RGB": 40.36, "NIR": 50.99, "TIR": 43.53, "overall": 44.96},
        "counts": {"RGB": 1932, "NIR": 2441, "TIR": 2084},
        "strict": {"RGB": 44.16, "NIR": 54.36, "TIR": 46.40, "overall": 48.30},
    },
}
"""As published, and as recomputed from the official files."""


def digits(number: float) -> int:
    """Return how many digits a printed figure has behind its point."""
    return len(str(number).partition(".")[2])


@pytest.mark.slow
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published captions are not here")
@pytest.mark.parametrize("rule", ["published", "strict"])
def test_every_published_figure_to_the_printed_digit(rule: str, tmp_path: Path) -> None:
    folders = [str(PUBLISHED / name) for name in FIGURES]
    assert main(["caption", "audit", *folders, "--rule", rule, "--out", str(tmp_path), "--quiet"]) == 0
    document = json.loads((tmp_path / "audit.json").read_text())
    assert document["rule"] == rule
    for name, known in FIGURES.items():
        found = document[name]
        assert found["words"] == known["words"]
        assert found["total_words"] == known["total_words"]
        assert round(found["mean_length"], 4) == known["mean_length"]
        for key, share in known[rule].items():  # type: ignore[attr-defined]
            assert round(found["unknown"][key], max(2, digits(share))) == share, (name, key)
        if rule == "published":
            assert found["unknown"]["counts"] == known["counts"]
        assert found["unknown"]["captions"] == dict.fromkeys(("RGB", "NIR", "TIR"), 4787)
        assert found["schema"] == "person"
    table = (tmp_path / "audit.md").read_text()
    if rule == "published":
        for text in ("38.94", "35.47", "4.06 (583)", "44.96 (6457)", "9.80 (469)", "172219"):
            assert text in table
    understood = document["next_rgbnt201"]["understood"]
    assert understood["recovered"] / understood["total"] > 0.95
    colours = document["idea_rgbnt201"]["unobservable"]  # IDEA names colours in infrared captions
    assert colours["TIR"] > 1000
    assert document["next_rgbnt201"]["unobservable"] == {"RGB": 0, "NIR": 0, "TIR": 0}


MAN = {"gender": "male", "upper": "coat", "upper_colour": "red", "image_quality": "clear"}
WOMAN = {"gender": "female", "upper": "dress", "image_quality": "blurry"}


@pytest.fixture
def world(tmp_path: Path) -> Manifest:
    """Two observations with a truth: in rgb all of it shows, in tir the gender and the sharpness."""
    data = tmp_path / "world"
    data.mkdir()
    (data / "manifest.csv").write_text(
        "observation,kind,split,rgb,tir\na,person,test,rgb/a.png,tir/a.png\nb,person,test,rgb/b.png,tir/b.png\n"
    )
    facts = [
        (observation, modality, name, value, modality == "rgb" or name in ("gender", "image_quality"))
        for observation, values in (("a", MAN), ("b", WOMAN))
        for modality in ("rgb", "tir")
        for name, value in values.items()
    ]
    columns = ["observation", "modality", "attribute", "value", "visible"]
    pd.DataFrame(facts, columns=columns).to_parquet(data / "truth.parquet")
    return load_manifest(data)


def two_sets(world: Manifest, folder: Path) -> tuple[Path, Path]:
    """One set of single images that leaves much out, and one that fills it in."""
    single = {("a", "rgb"): {"upper": "coat"}, ("a", "tir"): {"gender": "female"}, ("b", "rgb"): WOMAN}
    merged = {
        ("a", "rgb"): {"gender": "male", "upper": "coat", "upper_colour": "red"},
        ("a", "tir"): {"gender": "male", "upper": "coat"},
        ("b", "rgb"): WOMAN,
        ("b", "tir"): {"gender": "female", "upper": "coat"},
    }
    for name, captions, confidence in (("single", single, 0.6), ("merged", merged, 0.95)):
        table = slots_of(PERSON, captions, confidence=confidence)
        write_caption_set(folder / name, table, world.rows, PERSON, run={}, root=world.root)
    return folder / "single", folder / "merged"


def audit(*words: str, out: Path) -> dict[str, Any]:
    assert main(["caption", "audit", *words, "--out", str(out), "--quiet"]) == 0
    document: dict[str, Any] = json.loads((out / "audit.json").read_text())
    return document


def test_truth_and_comparison(world: Manifest, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    single, merged = two_sets(world, tmp_path)
    document = audit(str(single), str(merged), "--truth", str(world.root), out=tmp_path / "out")
    first, second = document["single"]["truth"], document["merged"]["truth"]
    # visible: a rgb 4, a tir gender, coat, quality (no colour in tir); b rgb 3, b tir 3
    assert first["overall"]["visible"] == second["overall"]["visible"] == 13
    assert first["overall"]["stated"] == 5
    assert first["overall"]["right"] == 4
    assert second["overall"]["stated"] == 10
    assert second["overall"]["right"] == 9
    assert second["overall"]["covered"] == pytest.approx(10 / 13)
    assert second["overall"]["whole"] == pytest.approx(9 / 13)
    assert first["compared"] is None
    found = second["compared"]
    assert (found["before"], found["kept"], found["new"]) == (5, 5, 5)
    assert found["before_accuracy"] == pytest.approx(4 / 5)
    assert found["kept_accuracy"] == 1.0
    assert found["new_accuracy"] == pytest.approx(4 / 5)
    assert found["whole_before"] == pytest.approx(4 / 13)
    assert second["ece"]["all"] == pytest.approx(abs(0.95 - 0.9))
    assert second["by_modality"]["TIR"]["stated"] == 4
    assert [point["stated"] for point in second["abstention"]["all"]][:20] == [10] * 20
    assert first["observations_covered"] == pytest.approx(5 / 7)
    assert document["settings"]["truth"]["sha256"] == world.sha256
    files = {path.name for path in (tmp_path / "out").iterdir()}
    pictures = {f"{name}.png" for name in ("texts", "coverage", "accuracy", "reliability", "abstention")}
    assert files == pictures | {"audit.json", "audit.md"}
    assert "compared with the first" in capsys.readouterr().out


def test_the_same_audit_is_the_same_file(world: Manifest, tmp_path: Path) -> None:
    single, merged = two_sets(world, tmp_path)
    words = (str(single), str(merged), "--truth", str(world.root))
    audit(*words, out=tmp_path / "one")
    audit(*words, out=tmp_path / "two")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_vehicles_and_single_files_work_alike(tmp_path: Path) -> None:
    grammar = Grammar(VEHICLE)
    red = {"colour": "red", "type": "SUV", "window_tint": "tinted", "mirrors": "intact", "exhaust": "hidden"}
    texts = [
        ("0001_s001_v0_001.jpg", grammar.caption(red)),
        ("0002_s001_v0_001.jpg", grammar.caption({"type": "bus"})),
    ]
    folder = write_published(tmp_path / "msvr", {"test_RGB": texts, "test_NI": [("x.jpg", "It is unknown.")]})
    document = audit(str(folder), out=tmp_path / "out")
    found = document["msvr"]
    assert found["schema"] == "vehicle"
    assert found["coverage"]["RGB"]["type"] == 1.0
    assert found["coverage"]["RGB"]["colour"] == 0.5
    assert found["unknown"]["NIR"] == 0.0
    assert found["words"]["NIR"] == 3
    assert audit(str(folder), "--rule", "strict", out=tmp_path / "strict")["msvr"]["unknown"]["NIR"] == 100.0


def test_hostile_names_and_texts_end_as_text(tmp_path: Path) -> None:
    evil = "a|b <script> \x1b[2J $x$ #[c](d)"
    text = "<script>alert(1)</script> {slot} \x00 | **bold**"
    folder = write_published(tmp_path / evil, {"test_RGB": [("<img>\x1b", text)]})
    document = audit(str(folder), out=tmp_path / "out")
    assert document[evil]["odd"] == {"unfilled slot": 1}
    assert document[evil]["odd_captions"][0]["item"] == "<img>\\x1b"
    table = (tmp_path / "out" / "audit.md").read_text()
    assert "\x1b" not in table
    assert "<script>" not in table
    assert "a|b" not in table


def test_bars_stand_on_the_floor_where_nothing_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []
    monkeypatch.setattr(audit_pictures, "_saved", lambda figure, out: drawn.append(figure) or out)
    write_published(tmp_path / "set", {"test_RGB": [("a.png", "A man in a red coat.")]})
    audit_pictures.audit_pictures(audit_sets(read_sets([tmp_path / "set"])), tmp_path)
    for axes in drawn[0].axes:
        assert axes.get_ylim()[0] == 0.0
        assert axes.get_ylim()[1] >= 1.0


def test_agreement_beside_chance(tmp_path: Path) -> None:
    said = {"rgb": ["male", "male", "female", "female"], "tir": ["male", "female", "female", None]}
    captions = {
        (f"o{number}", modality): {"gender": value, "image_quality": "clear"}
        for modality, values in said.items()
        for number, value in enumerate(values)
        if value
    }
    lines = [f"o{number},rgb/{number}.png,tir/{number}.png" for number in range(4)]
    (tmp_path / "m.csv").write_text("\n".join(["observation,rgb,tir", *lines]) + "\n")
    rows = load_manifest(tmp_path / "m.csv").rows
    write_caption_set(tmp_path / "set", slots_of(PERSON, captions), rows, PERSON, run={})
    (held,) = read_sets([tmp_path / "set"])
    (pair,) = agreements(held)  # sharpness is each picture's own
    assert (pair.attribute, pair.modalities, pair.n) == ("gender", ("rgb", "tir"), 3)
    assert pair.agreement == pytest.approx(2 / 3)
    assert pair.chance == pytest.approx((2 * 1 + 1 * 2) / 9)
    assert coverage(held)["tir"]["gender"] == 1.0
    assert coverage(held)["tir"]["carrying"] == 0.0
    assert "illumination" not in coverage(held)["tir"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "holds no captions"),
        (("set", "--layout", "rgbnt201"), "no effect without --truth"),
        (("set", "--rule", "lax"), "published"),
        (("set", "--truth", "plain"), "has no truth"),
        (("strange", "--truth", "world"), "follow no schema"),
        (("set/test_RGB.json",), "is a file. Allowed: a folder. What to do: name its folder, set"),
        (("empty",), "holds files without any caption: test_RGB.json"),
        (("set", "./set"), "is named twice"),
        (("others", "--truth", "world"), "no caption of an image that the truth tells of"),
    ],
)
def test_bad_input(
    words: tuple[str, ...],
    said: str,
    world: Manifest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_published(tmp_path / "set", {"test_RGB": [("a.png", Grammar(PERSON).caption(MAN))]})
    write_published(tmp_path / "strange", {"test_RGB": [("a.png", "Colourless green ideas sleep.")]})
    write_published(tmp_path / "others", {"test_RGB": [("z.png", Grammar(PERSON).caption(MAN))]})
    write_published(tmp_path / "empty", {"test_RGB": []})
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "manifest.csv").write_text("observation,rgb\na,a.png\n")
    assert main(["caption", "audit", *words, "--out", "out"]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_truth_in_other_words_is_an_error(world: Manifest, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not in the vehicle schema"):
        read_truth(world, VEHICLE)
    folder = write_published(tmp_path / "set", {"test_RGB": [("a.png", Grammar(PERSON).caption(MAN))]})
    (held,) = audit_sets(read_sets([folder], manifest=world), truths={"person": read_truth(world, PERSON)})
    assert held.truth is not None
    assert held.truth.images == 1
    assert held.truth.reliability == {}
    assert "Against the truth" in audit_markdown([held], rule="published")


@pytest.mark.parametrize("word", [str, lambda seen: seen or None], ids=["words", "a gap"])
def test_visible_in_words_is_an_error(world: Manifest, word: Any) -> None:
    path = world.root / "truth.parquet"
    table = pd.read_parquet(path)
    table["visible"] = table["visible"].map(word).astype(object)
    table.to_parquet(path)
    with pytest.raises(InputError, match=r"truth.parquet: the column visible holds"):
        read_truth(world, PERSON)
