"""A data set carries several caption sets, and a configuration picks the one that training hears."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nextreid.attributes import load_schema
from nextreid.attributes.grammar import Grammar
from nextreid.build import training_job
from nextreid.captions.caption_set import write_caption_set
from nextreid.captions.slots import Slot
from nextreid.captions.table import CaptionTable
from nextreid.cli.main import main
from nextreid.config import Config, DataConfig, ModelConfig, ValConfig
from nextreid.data.manifest import Manifest, load_manifest
from nextreid.data.sampler import Draw
from nextreid.embedding.embedder import NextReID
from nextreid.errors import InputError
from nextreid.model.pretrained import weights_sha256
from nextreid.observation import Sentence

PERSON = load_schema("person")
GROUPS = [group.name for group in PERSON.identity_groups]
SURE, UNSURE = "coat", "dress"
DRAWS = 60

RECIPE = """
data: {size: [64, 32], captions: first}
model: {backbone: "builtin:tiny"}
train: {epochs: 1, p: 2, k: 2}
loss: {triplet: 0.0}
val: {rule: none}
augment: {flip: 0.0, pad: 0, erase: 0.0}
dropout: {modality: 0.0, caption: 0.0}
"""


def slots_of(
    observation: str, modality: str, upper: str, confidence: float, sources: tuple[str, ...]
) -> Slot:
    (said,) = Grammar(PERSON).realise({"upper": upper})
    return Slot(
        observation, modality, "clothing", "upper", upper, confidence, sources, ("clip:test",), said.text
    )


@pytest.fixture
def data(tmp_path: Path) -> Manifest:
    lines = ["observation,identity,split,rgb,nir"]
    for number in range(8):
        cells = [f"o{number}", str(number // 2), "train"]
        for name in ("rgb", "nir"):
            pixels = np.random.default_rng(number).integers(0, 255, (64, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / f"{name}{number}.png")
            cells.append(f"{name}{number}.png")
        lines.append(",".join(cells))
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    manifest = load_manifest(tmp_path)
    sets = {"first": (SURE, UNSURE), "second": ("hoodie", "shirt")}
    for name, (rgb, nir) in sets.items():
        rows = [row for row in manifest.rows if name == "first" or row.observation != "o7"]
        slots = [
            slot
            for row in rows
            for slot in (
                slots_of(row.observation, "rgb", rgb, 0.9, ("rgb",)),
                slots_of(row.observation, "nir", nir, 0.3, ("rgb", "nir")),
            )
        ]
        write_caption_set(tmp_path / "captions" / name, CaptionTable(tuple(slots)), rows, PERSON, run={})
    return manifest


def heard(data: Manifest, captions: str, **model: float) -> dict[str, int]:
    """Return how often training hears each sentence of the clothing expert."""
    config = Config(
        data=DataConfig(size=(64, 32), captions=captions),
        model=ModelConfig(backbone="builtin:tiny", **model),  # type: ignore[arg-type]
        val=ValConfig(rule="none"),
    )
    job = training_job(config, data, device="cpu")
    counts: dict[str, int] = {}
    for epoch in range(DRAWS):
        sample = job.data[Draw(epoch, 0)]
        for group, words in zip(GROUPS, sample.prompts, strict=True):
            for text, _ in words:
                assert group == "clothing"
                counts[text] = counts.get(text, 0) + 1
    return counts


def text_of(upper: str) -> str:
    return Grammar(PERSON).realise({"upper": upper})[0].text


def test_experts_hear_the_set_that_the_configuration_names(data: Manifest) -> None:
    first = heard(data, "first")
    assert set(first) == {text_of(SURE), text_of(UNSURE)}
    # 3 of 4 by confidence; with rgb or nir dropped now and then, the sentence that rests on both is rarer
    assert first[text_of(SURE)] > 2 * first[text_of(UNSURE)] > 0
    assert set(heard(data, "second")) == {text_of("hoodie"), text_of("shirt")}
    assert heard(data, str(data.root / "captions" / "second")) == heard(data, "second")
    assert heard(data, "none") == {}
    with pytest.raises(InputError, match=r"third.*a set of the data \(first, second\)"):
        heard(data, "third")


def test_sentences_below_the_threshold_are_not_heard(data: Manifest) -> None:
    assert set(heard(data, "first", caption_threshold=0.5)) == {text_of(SURE)}
    assert heard(data, "first", caption_threshold=0.95) == {}


def test_one_recipe_trains_on_either_set(data: Manifest, tmp_path: Path, capsys) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)

    def train(name: str, *words: str) -> tuple[dict, str]:
        out = tmp_path / "runs" / name
        given = ["train", "--data", str(data.root), "--out", str(out), "--config", str(recipe), *words]
        assert main([*given, "--device", "cpu", "--json"]) == 0
        return json.loads(capsys.readouterr().out)["captions"], weights_sha256(out / "model")

    first, weights = train("first")
    second, others = train("second", "--data.captions", "second")
    assert (first["source"], first["found"]) == (str(data.root / "captions" / "first"), 8)
    assert (second["source"], second["found"]) == (str(data.root / "captions" / "second"), 7)
    assert weights != others
    assert train("again", "--data.captions", "first") == (first, weights)
    assert (
        main(["train", "--data", str(data.root), "--out", str(tmp_path / "x"), "--data.captions", "no"]) == 2
    )
    assert "first, second" in " ".join(capsys.readouterr().err.split())


def test_a_named_set_must_describe_training_observations_and_few_are_warned_of(
    data: Manifest, tmp_path: Path, capsys
) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    rows = [replace(row, split="test") if row.observation == "o7" else row for row in data.rows]
    text = (data.root / "manifest.csv").read_text().replace("o7,3,train", "o7,3,test")
    (data.root / "manifest.csv").write_text(text)
    for name, of in (("strange", "o7"), ("few", "o0"), ("silent", "")):
        slots = tuple(slots_of(o, "rgb", SURE, 0.9, ("rgb",)) for o in (of,) if o)
        write_caption_set(data.root / "captions" / name, CaptionTable(slots), rows, PERSON, run={})

    def train(name: str) -> tuple[int, str]:
        words = ["--out", str(tmp_path / "runs" / name), "--config", str(recipe), "--data.captions", name]
        code = main(["train", "--data", str(data.root), *words, "--device", "cpu", "--quiet"])
        return code, " ".join(capsys.readouterr().err.split())

    for name in ("strange", "silent"):
        code, said = train(name)
        assert (code, "describe none of the 7 training observations" in said) == (2, True)
    code, said = train("few")
    assert (code, "describes 1 of 7 training observations" in said) == (0, True)
    assert "Few captions" not in train("second")[1]


def test_a_trained_model_keeps_its_threshold(data: Manifest) -> None:
    def reader(threshold: float) -> NextReID:
        config = Config(
            data=DataConfig(size=(64, 32), captions="first"),
            model=ModelConfig(backbone="builtin:tiny", caption_threshold=threshold),
            val=ValConfig(rule="none"),
        )
        return NextReID(training_job(config, data, device="cpu").pretrained, device="cpu")

    said = [Sentence("clothing", text_of(UNSURE), 0.3, frozenset({"rgb"}))]
    with_words, without = data.rows[0].to_observation(said), data.rows[0].to_observation()
    for threshold, deaf in ((0.0, False), (0.5, True)):
        model = reader(threshold)
        told, untold = (model.embed([given]).vectors for given in (with_words, without))
        assert np.allclose(told, untold, atol=1e-6) == deaf
    with pytest.raises(InputError, match="caption_threshold is 2"):
        replace(reader(0.0).pretrained.architecture, caption_threshold=2)
