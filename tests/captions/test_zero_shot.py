"""Zero-shot answers: a softmax over prompts, of what a modality can show, at a temperature that is fitted."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nextreid.attributes import load_schema
from nextreid.captions.answers import Question
from nextreid.captions.backends.temperature import (
    LEAST,
    MOST,
    FittedTemperature,
    LabelledCosines,
    find_temperature,
    fit_temperature,
    likelihood,
    read_temperatures,
    shipped_temperatures,
    write_temperatures,
)
from nextreid.captions.backends.zero_shot import ZeroShotBackend, softmax
from nextreid.captions.parsing import ReplyReader
from nextreid.data.rows import Row
from nextreid.errors import ImageError, InputError

PERSON = load_schema("person")
WIDTH = 24
TEMPERATURE = {"rgb": 0.1, "nir": 0.5}


def directions(*shape: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(*shape, WIDTH)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


PROMPTS = {a.name: directions(len(a.values), seed=n) for n, a in enumerate(PERSON.attributes)}


def vector_of(row: Row, modality: str) -> np.ndarray:
    return directions(seed=row.index + 1000 * len(modality) + (modality == "nir"))


def encode(rows: Sequence[Row], modality: str) -> np.ndarray:
    return np.stack([vector_of(row, modality) for row in rows])


def backend(**changes: Any) -> ZeroShotBackend:
    given: dict[str, Any] = {"encode_images": encode, "prompts": PROMPTS, "temperature": TEMPERATURE}
    return ZeroShotBackend(PERSON, **(given | {"model": "clip:test", "encoder": "abc"} | changes))


def rows(count: int) -> list[Row]:
    paths = {name: Path(f"{name}.png") for name in ("rgb", "nir", "tir")}
    return [Row(number, "m.csv", f"o{number}", paths) for number in range(1, count + 1)]


def test_the_answer_is_that_of_a_plain_loop() -> None:
    questions = [Question(row, name) for row in rows(3) for name in ("nir", "rgb")]
    for question, reply in zip(questions, backend().ask(questions), strict=True):
        said = json.loads(reply.raw)
        vector = vector_of(question.row, question.modality)
        expected = {}
        for attribute in PERSON.attributes:
            if question.modality not in attribute.observable:
                continue
            scores = [
                math.exp(float(p @ vector) / TEMPERATURE[question.modality]) for p in PROMPTS[attribute.name]
            ]
            best = max(range(len(scores)), key=scores.__getitem__)
            expected[attribute.name] = (attribute.values[best], scores[best] / sum(scores))
        assert list(said) == list(expected)
        for name, (value, confidence) in expected.items():
            assert said[name]["value"] == value
            assert said[name]["confidence"] == pytest.approx(confidence, abs=1e-4)
        assert reply.token_confidence == {}


def test_a_modality_never_states_what_it_cannot_show() -> None:
    (reply,) = backend().ask([Question(rows(1)[0], "tir")])
    said = json.loads(reply.raw)
    assert set(said) == {a.name for a in PERSON.attributes if PERSON.observable(a.name, "tir")}
    assert "upper_colour" not in said
    (reply,) = backend().ask([Question(rows(1)[0], "sonar")])
    assert json.loads(reply.raw) == {}


def test_a_modality_without_a_temperature_gets_the_least_sure() -> None:
    same = backend(temperature={"rgb": 0.1, "nir": 0.5, "tir": 0.5})
    question = Question(rows(1)[0], "tir")
    assert backend().ask([question])[0].raw == same.ask([question])[0].raw


def test_replies_are_read_like_a_language_models() -> None:
    (reply,) = backend().ask([Question(rows(1)[0], "rgb")])
    answer = ReplyReader(PERSON).read(reply, observation="o1", modality="rgb", model="clip:test")
    assert answer.faults == ()
    assert len(answer.claims) == sum(PERSON.observable(a.name, "rgb") for a in PERSON.attributes)


def test_batches_and_their_order_change_nothing() -> None:
    questions = [Question(row, name) for row in rows(5) for name in ("rgb", "nir")]
    together = backend().ask(questions)
    assert together == [backend().ask([question])[0] for question in questions]
    assert together[::-1] == backend().ask(questions[::-1])
    assert backend().ask([]) == []


def test_a_bad_image_is_an_error_that_names_it() -> None:
    def picky(given: Sequence[Row], modality: str) -> np.ndarray:
        if any(row.index == 2 and modality == "rgb" for row in given):
            raise ImageError("row 2 of m.csv, modality rgb: a.png is empty")
        return encode(given, modality)

    questions = [Question(row, name) for row in rows(3) for name in ("rgb", "nir")]
    with pytest.raises(ImageError, match=r"row 2 of m\.csv"):
        backend(encode_images=picky).ask(questions)


def test_the_fingerprint_is_of_everything_that_changes_an_answer() -> None:
    prints = [
        backend().fingerprint,
        backend(temperature=TEMPERATURE | {"rgb": 0.2}).fingerprint,
        backend(encoder="abd").fingerprint,
        backend(model="clip:other").fingerprint,
    ]
    assert len(set(prints)) == len(prints)
    assert backend(batch=3).fingerprint == prints[0]


@pytest.mark.parametrize(
    "temperature", [{}, {"rgb": 0.0}, {"rgb": -1.0}, {"rgb": math.nan}, {"rgb": math.inf}]
)
def test_temperatures_are_checked(temperature: dict[str, float]) -> None:
    with pytest.raises(InputError, match="above 0"):
        backend(temperature=temperature)


def test_prompts_are_the_schemas() -> None:
    with pytest.raises(InputError, match="3 prompt vectors for age"):
        backend(prompts=PROMPTS | {"age": PROMPTS["age"][:3]})
    with pytest.raises(InputError, match="0 prompt vectors for age"):
        backend(prompts={})


def test_softmax_holds_out_at_any_scale() -> None:
    shares = softmax(np.array([[1e6, 0.0], [0.0, 0.0], [-1e6, -1e6 + 1]]))
    assert shares == pytest.approx(np.array([[1, 0], [0.5, 0.5], [1 / (1 + math.e), math.e / (1 + math.e)]]))


def drawn(temperature: float, *, values: int = 4, n: int = 4000, seed: int = 1) -> LabelledCosines:
    """Labels drawn with the probabilities that a softmax at this temperature gives."""
    rng = np.random.default_rng(seed)
    cosines = rng.uniform(-0.3, 0.3, (n, values)).astype(np.float32)
    shares = softmax(cosines / temperature)
    codes = (shares.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return LabelledCosines(cosines, np.minimum(codes, values - 1))


@pytest.mark.parametrize("temperature", [0.03, 0.1, 0.3])
def test_the_temperature_that_labels_were_drawn_at_is_found(temperature: float) -> None:
    parts = [drawn(temperature), drawn(temperature, values=2, seed=2)]
    found = fit_temperature(parts)
    assert found == pytest.approx(temperature, rel=0.1)
    grid = np.exp(np.linspace(np.log(LEAST), np.log(MOST), 400))  # the slow twin
    best = min(grid, key=lambda each: likelihood(parts, float(each)))
    assert found == pytest.approx(best, rel=0.03)
    assert likelihood(parts, found) <= likelihood(parts, float(best)) + 1e-9


def test_labels_that_images_do_not_tell_are_guessed_evenly() -> None:
    rng = np.random.default_rng(0)
    part = LabelledCosines(rng.uniform(-0.3, 0.3, (3000, 4)).astype(np.float32), rng.integers(0, 4, 3000))
    assert likelihood([part], fit_temperature([part])) == pytest.approx(math.log(4), abs=0.01)
    certain = LabelledCosines(np.array([[1, 0], [0, 1]], np.float32), np.array([0, 1]))
    assert likelihood([certain], fit_temperature([certain])) < 1e-9
    with pytest.raises(InputError, match="no labelled image"):
        fit_temperature([LabelledCosines(np.zeros((0, 3), np.float32), np.zeros(0, np.int64))])
    with pytest.raises(InputError, match="out of range"):
        fit_temperature([LabelledCosines(np.zeros((1, 3), np.float32), np.array([-1]))])


def test_likelihood_of_a_hand_worked_case() -> None:
    part = LabelledCosines(np.array([[math.log(3), 0.0], [0.0, 0.0]], np.float32), np.array([0, 1]))
    assert likelihood([part], 1.0) == pytest.approx((-math.log(0.75) - math.log(0.5)) / 2)


ENTRY = FittedTemperature("m", "sha", "person", (64, 32), {"rgb": 0.1, "tir": 0.4}, {"rgb": 12, "tir": 3})


def test_files_of_temperatures_come_back_and_keep_others(tmp_path: Path) -> None:
    path = write_temperatures(tmp_path / "t.yaml", [ENTRY], note="Written by a test.")
    assert read_temperatures(path) == (ENTRY,)
    other = FittedTemperature("m", "new", "vehicle", (32, 64), {"rgb": 0.2}, {"rgb": 5})
    newer = FittedTemperature("m", "new", "person", (64, 32), {"rgb": 0.3}, {"rgb": 5})
    write_temperatures(path, [other, newer])
    assert read_temperatures(path) == (newer, other)
    assert find_temperature(read_temperatures(path), weights_sha256="new", kind="person") == newer
    assert find_temperature(read_temperatures(path), weights_sha256="sha", kind="person") is None
    assert (newer.of("rgb"), ENTRY.of("nir")) == (0.3, 0.4)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds NoneType"),
        ("a: [", "not valid YAML"),
        ("- {model: m}", "entry 1"),
        (
            "- {model: m, weights_sha256: s, kind: k, size: [2, 1], temperature: {}, images: {}}",
            "temperature is",
        ),
        (
            "- {model: m, weights_sha256: s, kind: k, size: [2, 1], temperature: {rgb: 0}, images: {}}",
            "number above 0",
        ),
        (
            "- {model: m, weights_sha256: s, kind: k, size: [2, 1], temperature: {rgb: hot}, images: {}}",
            "hot",
        ),
        (
            "- {model: m, weights_sha256: s, kind: k, size: [2, 1], temperature: {rgb: 1}, images: 3}",
            "images is 3",
        ),
        (
            "- {model: m, weights_sha256: s, kind: k, size: 64x32, temperature: {rgb: 1}, images: {}}",
            "size is 64x32",
        ),
    ],
)
def test_damaged_files_of_temperatures(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "t.yaml").write_text(text)
    with pytest.raises(InputError, match=reason):
        read_temperatures(tmp_path / "t.yaml")
    with pytest.raises(InputError, match="no file of temperatures"):
        read_temperatures(tmp_path / "none.yaml")


def test_the_shipped_file_reads() -> None:
    for entry in shipped_temperatures():
        assert entry.kind in ("person", "vehicle")
        assert set(entry.temperature) == {"rgb", "nir", "tir"}
        assert all(LEAST < value < 1 for value in entry.temperature.values())  # at 1 nothing would be told
