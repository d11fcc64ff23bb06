import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import yaml
from noisy_world import noisy_world, simulated_answers

from nextreid.attributes.schema import Schema
from nextreid.captions.answers import Question
from nextreid.captions.backends import simulated
from nextreid.captions.backends.simulated import SimulatedBackend, load_noise
from nextreid.captions.truth import Truth
from nextreid.data.rows import Row
from nextreid.errors import InputError

SCHEMA, ROWS, TRUTH = noisy_world("person", 300, seed=3)
NOISE = Path(simulated.__file__).with_name("noise.yaml")


def rates(scale: float = 1.0, model: str = "default") -> dict[tuple[str, str], dict[str, float]]:
    """(modality, time) -> shares of errors, omissions, guesses, confident errors, counted one by one."""
    counts: dict[tuple[str, str], dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for answer in simulated_answers(SCHEMA, ROWS, TRUTH, scale=scale, model=model):
        time = TRUTH.values[answer.observation, answer.modality, "time_of_day"]
        found = counts[answer.modality, time]
        for attribute in SCHEMA.attributes:
            if not SCHEMA.observable(attribute.name, answer.modality):
                assert attribute.name not in answer.claims
                continue
            key = (answer.observation, answer.modality, attribute.name)
            claim = answer.claims.get(attribute.name)
            wrong = claim is not None and claim.value != TRUTH.values[key]
            if claim is not None and wrong:
                found["confident"].append(claim.confidence > 0.8)
            if key not in TRUTH.visible:
                found["guess"].append(claim is not None)
                continue
            found["omission"].append(claim is None)
            if claim is not None:
                found["error"].append(wrong)
                found["right" if not wrong else "unsure"].append(claim.confidence)  # type: ignore[arg-type]
    return {key: {name: float(np.mean(hits)) for name, hits in part.items()} for key, part in counts.items()}


def test_answers_have_the_noise_of_the_file() -> None:
    found, written = rates(), yaml.safe_load(NOISE.read_text())["images"]
    for (modality, time), shares in found.items():
        for name in ("error", "omission", "guess", "right"):
            # four standard errors of a share of about 1000 claims, and of the images' difficulty
            assert shares[name] == pytest.approx(written[modality][time][name], abs=0.06), (modality, time)
    assert np.mean([shares["confident"] for shares in found.values()]) == pytest.approx(0.15, abs=0.03)
    night = "nighttime"
    assert found["rgb", night]["error"] > found["nir", night]["error"] + 0.03
    assert found["rgb", night]["omission"] > found["nir", night]["omission"] + 0.05


def test_half_and_double_noise_halve_and_double_it() -> None:
    once, half, double = rates(), rates(0.5), rates(2.0)
    for name in ("error", "omission", "guess"):
        means = [np.mean([shares[name] for shares in found.values()]) for found in (half, once, double)]
        assert means[0] / means[1] == pytest.approx(0.5, abs=0.1)
        assert means[2] / means[1] == pytest.approx(2.0, abs=0.2)
    assert np.mean([shares["confident"] for shares in double.values()]) == pytest.approx(0.15, abs=0.03)


def test_no_noise_tells_what_is_visible_and_nothing_else() -> None:
    for answer in simulated_answers(SCHEMA, ROWS[:20], TRUTH, scale=0.0):
        told = {name: claim.value for name, claim in answer.claims.items()}
        visible = {
            a.name: TRUTH.values[answer.observation, answer.modality, a.name]
            for a in SCHEMA.attributes
            if (answer.observation, answer.modality, a.name) in TRUTH.visible
        }
        assert told == visible


def test_an_answer_depends_on_no_order_and_no_batch() -> None:
    backend = SimulatedBackend(SCHEMA, TRUTH)
    questions = [Question(row, modality) for row in ROWS[:5] for modality in row.paths]
    together = backend.ask(questions)
    alone = [backend.ask([question])[0] for question in reversed(questions)]
    assert together == alone[::-1]
    assert SimulatedBackend(SCHEMA, TRUTH).ask(questions) == together
    assert SimulatedBackend(SCHEMA, TRUTH, seed=1).ask(questions) != together
    assert SimulatedBackend(SCHEMA, TRUTH, model="other").ask(questions) != together


def wrong_claims(
    schema: Schema, rows: tuple[Row, ...], truth: Truth, model: str
) -> dict[tuple[str, str, str], str]:
    """(observation, modality, attribute) -> the wrong value claimed, of attributes with many values."""
    return {
        key: claim.value
        for answer in simulated_answers(schema, rows, truth, model=model, scale=2.0)
        for name, claim in answer.claims.items()
        if (key := (answer.observation, answer.modality, name)) in truth.visible
        and claim.value != truth.values[key]
        and len(schema.attribute(name).values) > 8
    }


def test_models_share_look_alikes_and_hard_images() -> None:
    agreed: list[bool] = []
    for kind in ("person", "vehicle"):
        schema, rows, truth = noisy_world(kind, 300, seed=3)

        one, two = (wrong_claims(schema, rows, truth, model) for model in ("default", "other"))
        agreed += [one[key] == two[key] for key in one if key in two]
    assert len(agreed) > 60
    assert np.mean(agreed) > 0.2, "independent mistakes among nine values and more agree in one of eight"


def test_what_changes_answers_changes_the_fingerprint() -> None:
    prints = {
        SimulatedBackend(SCHEMA, TRUTH).fingerprint,
        SimulatedBackend(SCHEMA, TRUTH, scale=2.0).fingerprint,
        SimulatedBackend(SCHEMA, TRUTH, seed=1).fingerprint,
        SimulatedBackend(noisy_world("vehicle", 1)[0], TRUTH).fingerprint,
    }
    assert len(prints) == 4
    assert SimulatedBackend(SCHEMA, TRUTH).fingerprint in prints


def test_an_observation_without_truth_gets_no_reply() -> None:
    stranger = noisy_world("person", 301, seed=3)[1][-1]
    (reply,) = SimulatedBackend(SCHEMA, TRUTH).ask([Question(stranger, "rgb")])
    assert (reply.outcome, reply.raw) == ("failed", "")
    assert stranger.observation in reply.error


def test_replies_are_json_texts_like_a_language_models() -> None:
    (reply,) = SimulatedBackend(SCHEMA, TRUTH).ask([Question(ROWS[0], "tir")])
    said = json.loads(reply.raw)
    assert set(said) == {a.name for a in SCHEMA.attributes if SCHEMA.observable(a.name, "tir")}
    assert all(set(entry) == {"value", "confidence"} for entry in said.values())
    assert all(0 <= entry["confidence"] <= 1 for entry in said.values())


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"confident": 1.5}, "outside 0..1"),
        ({"images": {"rgb": {}}}, "not a noise model: KeyError"),
        ({"models": 3}, "not a noise model"),
        ({"lookalike": "often"}, "not a noise model"),
    ],
)
def test_a_noise_model_that_is_none_is_named(change: dict[str, object], names: str, tmp_path: Path) -> None:
    path = tmp_path / "noise.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(NOISE.read_text()) | change))
    with pytest.raises(InputError, match=names):
        load_noise(path)
    with pytest.raises(InputError, match="no noise model"):
        load_noise(tmp_path / "other.yaml")


def test_models_and_scales_that_cannot_be_are_named() -> None:
    with pytest.raises(InputError, match=r"gpt.*default, other, bold, careful"):
        SimulatedBackend(SCHEMA, TRUTH, model="gpt")
    with pytest.raises(InputError, match="-1"):
        SimulatedBackend(SCHEMA, TRUTH, scale=-1.0)
