"""`nextreid evaluate --scenario`, end to end on a tree small enough to work out by hand.

Two persons, a and b, each once by camera 1 and once by camera 2: o0 = a1, o1 = a2, o2 = b1, o3 = b2. Under
`cross-camera` a query keeps three entries, its match among them.
"""

import json

import numpy as np
import pytest
from PIL import Image

from nextreid.attributes.schema import load_schema
from nextreid.cli.main import main
from nextreid.embedding.embedder import NextReID
from nextreid.embedding.embeddings import load_embeddings
from nextreid.model.architecture import Architecture, build_model
from nextreid.model.backbone import load_clip
from nextreid.model.pretrained import Pretrained

A, B = [1.0, 0.0], [0.0, 1.0]
RIGHT = np.array([A, A, B, B], np.float32)
CROSSED = np.array([A, B, B, A], np.float32)  # camera 2 takes one person for the other
ORDER = (1 + 1 + 1 / 3 + 1 / 3) / 4  # all entries equally far: o0 and o1 meet their match first, o2, o3 last


def write_data(folder, modalities, seed_of):
    """A manifest of four observations; seed_of(row, modality) says which picture it shows."""
    lines = [",".join(("observation", "identity", "camera", *modalities))]
    for at in range(4):
        names = []
        for modality in modalities:
            name = f"{modality}{at}.png"
            rng = np.random.default_rng(seed_of(at, modality))
            Image.fromarray(rng.integers(0, 256, (64, 32, 3), dtype=np.uint8)).save(folder / name)
            names.append(name)
        lines.append(",".join((f"o{at}", "aabb"[at], "1212"[at], *names)))
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def data(tmp_path):
    (tmp_path / "data").mkdir()
    return write_data(tmp_path / "data", ("rgb", "nir"), lambda at, modality: at)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model that knows rgb and nir, its weights random."""
    architecture = Architecture(
        modalities=("rgb", "nir"), schema=load_schema("person").to_dict(), size=(64, 32)
    )
    clip = load_clip("builtin:tiny", corpus=["a man in a red coat"])
    whole = Pretrained(build_model(architecture, clip), architecture, "scratch", {"backbone_saw": []})
    folder = tmp_path_factory.mktemp("model") / "model"
    NextReID(whole, device="cpu").save_pretrained(folder)
    return folder


def evaluate(tmp_path, data, *words):
    out = tmp_path / "r.json"
    protocol = ["--protocol", "cross-camera", "--bootstrap", "20", "--device", "cpu", "--quiet"]
    assert main(["evaluate", "--data", str(data), "--out", str(out), *protocol, *map(str, words)]) == 0
    return json.loads(out.read_text()), (tmp_path / "r.md").read_text()


def embeddings_by_hand(tmp_path):
    arrays = {
        "observation": np.array(["o0", "o1", "o2", "o3"]),
        "embedding": RIGHT,
        "embedding/rgb": RIGHT,
        "embedding/nir": CROSSED,
    }
    np.savez(tmp_path / "e.npz", **arrays)
    return tmp_path / "e.npz"


def test_all_scenarios_of_saved_embeddings_by_hand(tmp_path, data):
    found, table = evaluate(tmp_path, data, "--embeddings", embeddings_by_hand(tmp_path), "--scenario", "all")
    scenarios = found["scenarios"]
    assert set(scenarios) == {"missing", "any-to-any", "random-drop"}
    assert set(found["scenarios_left_out"]) == {"unseen", "text", "fine-grained", "consistency"}
    # nir against nir. o0 (a): o3 is near, then the match o1 and o2 in order: AP 1/2. o1 (b): o2, then o0
    # (match), o3: 1/2. o2 (b): o1, then o0, o3 (match): 1/3. o3 (a): o0, then o1, o2 (match): 1/3.
    nir = (1 / 2 + 1 / 2 + 1 / 3 + 1 / 3) / 4
    # rgb against nir. o0 (a): o3, o1 (match), o2: 1/2. o1 (a): o0 and o3 are near, o0 (match) first: 1.
    # o2 (b): o1, then o0, o3 (match): 1/3. o3 (b): o1, o2 (match): 1/2.
    rgb_nir = (1 / 2 + 1 + 1 / 3 + 1 / 2) / 4
    missing = {row["name"]: row["metrics"]["mAP"] for row in scenarios["missing"]["rows"]}
    assert missing == pytest.approx({"M(nir)": 1.0, "M(rgb)": nir})
    cells = {
        ("+".join(c["query"]), "+".join(c["gallery"])): c["metrics"]["mAP"]
        for c in scenarios["any-to-any"]["cells"]
    }
    assert len(cells) == 9
    assert cells["rgb", "rgb"] == cells["rgb+nir", "rgb"] == cells["rgb+nir", "rgb+nir"] == 1.0
    assert cells["nir", "nir"] == pytest.approx(nir)
    assert cells["rgb", "nir"] == cells["rgb+nir", "nir"] == pytest.approx(rgb_nir)
    gains = {
        (g["modality"], g["side"]): g["mAP"]["difference"]
        for g in scenarios["any-to-any"]["gains"]
        if g["other"] is None
    }
    assert gains["rgb", "both"] == pytest.approx(1 - nir)
    assert gains["nir", "query"] == pytest.approx(0.0)
    assert scenarios["random-drop"]["rows"][0]["metrics"]["mAP"] == 1.0
    assert scenarios["random-drop"]["rows"][0]["dropped"] == 0.0
    assert found["settings"]["fill"] == "unknown"
    for words in ("| M(rgb) |", "| any to any, all cells |", "| dropped at rate 0.9 |", "- `unseen`: "):
        assert words in table


def test_each_subset_is_embedded_once_and_by_one_command(tmp_path, data, model, monkeypatch):
    calls = []
    whole = NextReID.embed

    def counted(self, observations, **more):
        calls.append(more["subsets"])
        return whole(self, observations, **more)

    monkeypatch.setattr(NextReID, "embed", counted)
    found, _ = evaluate(tmp_path, data, "--model", model, "--scenario", "any-to-any", "--scenario", "missing")
    assert calls == [(("rgb",), ("nir",))]
    assert list(found["scenarios"]) == ["missing", "any-to-any"]
    assert found["scenarios_left_out"] == {}


def test_an_unseen_modality_by_hand(tmp_path, model, capsys):
    """In tir a person's two pictures are the same, so the distance to the match is zero."""
    (tmp_path / "data").mkdir()
    data = write_data(
        tmp_path / "data", ("rgb", "tir"), lambda at, modality: at // 2 if modality == "tir" else 9
    )
    found, table = evaluate(tmp_path, data, "--model", model, "--scenario", "unseen", "--batch-size", "1")
    entry = found["scenarios"]["unseen"]
    assert entry["trained_with"] == ["rgb", "nir"]
    (tir,) = entry["modalities"]
    assert (tir["modality"], tir["strictly_unseen"], tir["error"]) == ("tir", True, 0.0)
    errors = {("+".join(r["query"]), "+".join(r["gallery"])): r["error"] for r in tir["rows"]}
    # One rgb picture for all: every entry is equally far, and the gallery's order decides.
    assert errors["rgb", "rgb"] == pytest.approx(1 - ORDER)
    assert errors["tir", "rgb"] == pytest.approx(1 - ORDER)
    assert set(errors) == {("tir", "tir"), ("tir", "rgb"), ("rgb", "tir"), ("rgb", "rgb")}
    assert "`tir` is strictly unseen" in table
    settings = found["settings"]
    assert (settings["modalities_shown"], settings["modalities_unseen"]) == (["rgb", "tir"], ["tir"])
    assert "shown rgb, tir, and was not trained with tir" in table.partition("|")[0]  # the head
    said = capsys.readouterr().err
    assert "was not trained with, too: tir" in said  # under --quiet, too
    assert "--modalities rgb` leaves them out" in said


def test_words_by_hand(tmp_path, model):
    """One picture for all: whatever the captions say, the gallery's order decides."""
    (tmp_path / "data").mkdir()
    data = write_data(tmp_path / "data", ("rgb",), lambda at, modality: 0)
    captions = tmp_path / "captions"
    captions.mkdir()
    said = [
        {"item": f"rgb{at}.png", "description": f"The person is wearing a {colour} coat."}
        for at, colour in enumerate(("red", "red", "blue"))
    ]
    (captions / "test_RGB.json").write_text(json.dumps(said))
    found, table = evaluate(
        tmp_path, data, "--model", model, "--scenario", "text", "--captions", captions, "--batch-size", "1"
    )
    entry = found["scenarios"]["text"]
    assert entry["identity"]["metrics"]["mAP"] == pytest.approx((1 + 1 + 1 / 3) / 3)  # o3 has no caption
    assert entry["identity"]["without_caption"] == 1
    assert entry["true"] is None
    assert "| captions to images |" in table


def test_the_published_fill_is_named_and_is_what_embedding_gives(tmp_path, data, model):
    both = {}
    for fill in ("mask", "zero"):
        kept = tmp_path / f"{fill}.npz"
        words = ["--model", model, "--scenario", "missing", "--fill", fill, "--save-embeddings", kept]
        found, table = evaluate(tmp_path, data, *words)
        assert found["settings"]["fill"] == fill
        assert ("zero after normalisation" in table) == (fill == "zero")
        both[fill] = load_embeddings(kept)
    out = tmp_path / "embedded.npz"
    words = ["--model", str(model), "--data", str(data), "--modalities", "each-subset", "--fill", "zero"]
    assert main(["embed", *words, "--out", str(out), "--device", "cpu", "--quiet"]) == 0
    np.testing.assert_array_equal(load_embeddings(out).subset(["rgb"]), both["zero"].subset(["rgb"]))
    np.testing.assert_allclose(both["mask"].vectors, both["zero"].vectors, atol=1e-5)  # nothing is absent
    assert np.abs(both["mask"].subset(["rgb"]) - both["zero"].subset(["rgb"])).max() > 1e-3


def test_what_a_model_cannot_be_asked_is_said_before_anything_is_embedded(
    tmp_path, data, model, monkeypatch, capsys
):
    monkeypatch.setattr(NextReID, "embed", lambda *words, **more: pytest.fail("embedded in vain"))
    given = ["--model", str(model), "--data", str(data), "--out", str(tmp_path / "r.json"), "--quiet"]
    for name, message in (
        ("unseen", "trained with every modality"),
        ("text", "No query of"),
    ):
        assert main(["evaluate", *given, "--protocol", "cross-camera", "--scenario", name]) == 2
        said = capsys.readouterr().err
        assert f"option --scenario {name}: " in said
        assert message in said


def test_embeddings_of_a_former_result_are_not_left_unexplained(tmp_path, data, capsys):
    kept = embeddings_by_hand(tmp_path)
    former = kept.rename(tmp_path / "r.embeddings.npz")
    evaluate(tmp_path, data, "--embeddings", former)
    assert "former" not in capsys.readouterr().err
    evaluate(tmp_path, data, "--embeddings", embeddings_by_hand(tmp_path))
    assert f"{former} is of a former result, not of {tmp_path / 'r.json'}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--scenario", "unseen"], "do not say what the model was trained with"),
        (["--scenario", "text"], "cannot be asked for words"),
        (["--fill", "zero"], "option --fill has no effect"),
        (["--scenario", "elsewhere"], "any-to-any"),
    ],
)
def test_what_is_not_possible_is_said_and_nothing_is_written(tmp_path, data, words, message, capsys):
    out = tmp_path / "r.json"
    given = ["--embeddings", str(embeddings_by_hand(tmp_path)), "--data", str(data), "--out", str(out)]
    assert main(["evaluate", *given, "--protocol", "cross-camera", "--quiet", *words]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_a_model_for_another_kind_of_object_is_remarked_on(tmp_path, data, model, capsys):
    table = data / "manifest.csv"
    head, *rows = table.read_text().splitlines()
    table.write_text("\n".join([head + ",kind", *(row + ",vehicle" for row in rows)]) + "\n")
    evaluate(tmp_path, data, "--model", model)
    assert "made for person observations; these are vehicle observations" in capsys.readouterr().err
