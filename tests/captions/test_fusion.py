import random
from pathlib import Path

import pytest
from noisy_world import noisy_world, simulated_answers

from nextreid.attributes.schema import load_schema
from nextreid.captions.answers import Answer, Claim
from nextreid.captions.calibration import Calibration, Map
from nextreid.captions.contradictions import contradiction_counts, write_contradictions
from nextreid.captions.fusion import Merged, merge_answers
from nextreid.captions.slots import UNFILLED
from nextreid.data.rows import Row
from nextreid.errors import InputError

PERSON = load_schema("person")
IMAGES = {name: Path(f"{name}.png") for name in ("rgb", "nir", "tir")}
ROW = Row(2, "m", "a", IMAGES)


def said(modality: str, model: str = "m", **claims: tuple[str, float]) -> Answer:
    return Answer("a", modality, model, {name: Claim(*claim) for name, claim in claims.items()})


def merge(*answers: Answer, row: Row = ROW, **options: object) -> Merged:
    options = {"threshold": 0.7, "complement_threshold": 0.3} | options
    return merge_answers(answers, PERSON, [row], **options)  # type: ignore[arg-type]


def slot(merged: Merged, modality: str, attribute: str) -> tuple[object, ...]:
    (found,) = [s for s in merged.table.rows if (s.modality, s.attribute) == (modality, attribute)]
    return found.value, found.confidence, found.source_modality, found.source_model


def test_a_sure_image_keeps_its_value_against_all_others() -> None:
    merged = merge(
        said("rgb", gender=("male", 0.7)),
        said("nir", gender=("female", 0.99)),
        said("tir", gender=("female", 0.99)),
    )
    assert slot(merged, "rgb", "gender") == ("male", 0.7, ("rgb",), ("m",))
    assert slot(merged, "nir", "gender")[0] == "female"


def test_an_unsure_image_takes_the_fused_value_with_its_sources() -> None:
    merged = merge(
        said("rgb", upper=("shirt", 0.4)), said("nir", upper=("coat", 0.9)), said("tir", upper=("coat", 0.2))
    )
    # observability of upper: rgb 1, nir 0.9, tir 0.7
    coat, shirt = 1 - (1 - 0.81) * (1 - 0.14), 0.4
    alone = {"coat": coat * (1 - shirt), "shirt": shirt * (1 - coat), "": (1 - coat) * (1 - shirt)}
    assert slot(merged, "rgb", "upper") == (
        "coat",
        pytest.approx(alone["coat"] / sum(alone.values())),
        ("nir", "tir"),
        ("m",),
    )
    assert slot(merged, "nir", "upper") == ("coat", 0.9, ("nir",), ("m",))
    assert (merged.own, merged.complemented, merged.dropped) == (1, 2, 0)


def test_sources_are_the_image_alone_where_that_would_have_sufficed() -> None:
    merged = merge(said("rgb", upper=("coat", 0.5)), said("nir", upper=("coat", 0.5)))
    both = 1 - (1 - 0.5) * (1 - 0.45)
    assert slot(merged, "rgb", "upper") == ("coat", pytest.approx(both), ("rgb",), ("m",))
    assert slot(merged, "nir", "upper") == ("coat", pytest.approx(both), ("nir",), ("m",))
    weak = merge(said("rgb", upper=("coat", 0.25)), said("nir", upper=("coat", 0.25)))
    assert slot(weak, "rgb", "upper")[2] == ("rgb", "nir")


def test_an_image_that_nobody_was_asked_about_gets_no_caption() -> None:
    merged = merge(said("rgb", upper=("coat", 0.9)))
    assert {s.modality for s in merged.table.rows} == {"rgb"}
    merged = merge(said("rgb", upper=("coat", 0.9)), Answer("a", "tir", "m", {}, outcome="refused"))
    assert slot(merged, "tir", "upper")[2] == ("rgb",)


def test_a_caption_never_states_what_its_modality_cannot_see() -> None:
    merged = merge(
        said("rgb", upper_colour=("red", 0.9)),
        said("nir", upper_colour=("blue", 0.9), gender=("male", 0.9)),
        said("tir", time_of_day=("daytime", 0.9), gender=("male", 0.9)),
    )
    assert slot(merged, "rgb", "upper_colour") == ("red", 0.9, ("rgb",), ("m",))
    assert {(s.modality, s.attribute) for s in merged.table.rows if s.attribute != "gender"} == {
        ("rgb", "upper_colour")
    }
    assert merged.contradictions == ()


def test_what_belongs_to_one_picture_is_told_by_that_picture_alone() -> None:
    merged = merge(
        said("rgb", image_quality=("blurry", 0.5)),
        said("nir", image_quality=("clear", 0.99)),
        said("tir", gender=("male", 0.9)),
    )
    assert slot(merged, "rgb", "image_quality") == ("blurry", 0.5, ("rgb",), ("m",))
    assert slot(merged, "nir", "image_quality") == ("clear", 0.99, ("nir",), ("m",))
    assert not [s for s in merged.table.rows if (s.modality, s.attribute) == ("tir", "image_quality")]
    assert merged.contradictions == ()


def test_a_tie_states_nothing_and_is_reported(tmp_path: Path) -> None:
    merged = merge(
        said("rgb", model="m", age=("adult", 0.6)),
        said("rgb", model="n", age=("child", 0.6)),
        said("nir", model="m", gender=("male", 0.9)),
    )
    assert [(s.modality, s.attribute) for s in merged.table.rows] == [("rgb", "gender"), ("nir", "gender")]
    (entry,) = merged.contradictions
    assert (entry.attribute, entry.chosen, list(entry.claims)) == ("age", "", ["adult", "child"])
    assert contradiction_counts(merged) == {
        "age": {"contradictions": 1, "ties": 1, "between modalities": 0},
    }
    write_contradictions(tmp_path, merged)
    assert '"value"' not in (tmp_path / "contradictions.jsonl").read_text()
    assert len((tmp_path / "contradictions.jsonl").read_text().splitlines()) == 1


def test_contradictions_name_who_claimed_what() -> None:
    merged = merge(
        said("rgb", age=("adult", 0.9)), said("nir", age=("child", 0.8)), said("tir", age=("adult", 0.1))
    )
    (entry,) = merged.contradictions
    assert entry.chosen == "adult"
    assert {
        value: [(c.modality, c.model, c.weight) for c in claims] for value, claims in entry.claims.items()
    } == {"adult": [("rgb", "m", 0.9), ("tir", "m", 0.1)], "child": [("nir", "m", 0.8)]}
    assert contradiction_counts(merged)["age"]["between modalities"] == 1


def test_agreement_is_no_contradiction() -> None:
    merged = merge(said("rgb", age=("adult", 0.9)), said("nir", age=("adult", 0.2)))
    assert merged.contradictions == ()


def test_without_confidence_every_claim_is_stated_and_the_rest_is_unknown() -> None:
    merged = merge(
        said("nir", gender=("male", 0.01), image_quality=("clear", 0.0)),
        Answer("a", "tir", "m", {}, outcome="failed"),
        method="plain",
    )
    table = merged.table
    assert table.values("a", "nir") == {"gender": "male", "image_quality": "clear"}
    asked = {a.name for a in PERSON.attributes if PERSON.observable(a.name, "nir")}
    assert {s.attribute for s in table.of["a", "nir"]} == asked
    assert all((s.value, s.confidence) == (UNFILLED, 0.0) for s in table.unfilled)
    assert table.caption("a", "nir").startswith("An unknown male seen from the unknown.")
    assert "carrying an unknown" in table.caption("a", "nir")
    assert table.caption("a", "tir") == "", "nothing was answered: nothing can be said to be unknown"


def test_confident_captions_are_each_images_own() -> None:
    merged = merge(
        said("rgb", gender=("male", 0.7), age=("adult", 0.69)),
        said("nir", gender=("female", 0.2), age=("adult", 0.9)),
        method="confident",
    )
    assert {(s.modality, s.attribute, s.value) for s in merged.table.rows} == {
        ("rgb", "gender", "male"),
        ("nir", "age", "adult"),
    }
    assert (merged.own, merged.complemented, merged.dropped) == (2, 0, 2)


def test_models_of_one_image_strengthen_each_other() -> None:
    merged = merge(
        said("rgb", model="n", gender=("male", 0.5)),
        said("rgb", model="m", gender=("male", 0.5)),
        method="confident",
    )
    assert slot(merged, "rgb", "gender") == ("male", 0.75, ("rgb",), ("m", "n"))


def test_images_the_row_does_not_have_and_strangers_are_left_out() -> None:
    row = Row(2, "m", "a", {"nir": Path("n.png")})
    merged = merge(
        said("rgb", gender=("male", 0.9)),
        said("nir", age=("adult", 0.9)),
        Answer("b", "nir", "m", {"gender": Claim("male", 0.9)}),
        row=row,
    )
    assert [(s.observation, s.modality, s.attribute) for s in merged.table.rows] == [("a", "nir", "age")]


def test_a_calibration_changes_what_confidences_are_worth() -> None:
    half = Map((0.0, 1.0), (0.0, 0.5), 99)
    fitted = Calibration(claims={("m", "rgb"): half}, threshold=0.4, complement_threshold=0.2)
    answers = said("rgb", gender=("male", 0.9), age=("adult", 0.7)), said("nir", hair_length=("long", 0.1))
    merged = merge_answers(answers, PERSON, [ROW], calibration=fitted)
    assert slot(merged, "rgb", "gender")[:2] == ("male", pytest.approx(0.45))
    assert slot(merged, "rgb", "age")[:2] == ("adult", pytest.approx(0.35 * 0.9))
    assert slot(merged, "nir", "gender")[:2] == ("male", pytest.approx(0.45 * 0.9))
    assert "hair_length" not in {s.attribute for s in merged.table.rows}


@pytest.mark.parametrize("method", ["plain", "confident", "merge"])
@pytest.mark.parametrize("kind", ["person", "vehicle"])
def test_the_order_of_answers_changes_nothing_and_that_of_rows_is_kept(kind: str, method: str) -> None:
    schema, rows, truth = noisy_world(kind, 6)
    answers = [a for m in ("default", "bold") for a in simulated_answers(schema, rows, truth, model=m)]
    first = merge_answers(answers, schema, rows, method=method)  # type: ignore[arg-type]
    random.Random(0).shuffle(answers)
    assert merge_answers(answers, schema, rows, method=method) == first  # type: ignore[arg-type]
    order = [(row.observation, modality) for row in rows for modality in row.paths]
    assert [key for key in order if key in first.table.of] == list(first.table.of)
    names = [attribute.name for attribute in schema.attributes]
    for slots in first.table.of.values():
        places = [names.index(s.attribute) for s in slots]
        assert places == sorted(places)


def test_sentences_can_be_varied_and_say_the_same() -> None:
    schema, rows, truth = noisy_world("person", 20)
    answers = simulated_answers(schema, rows, truth)
    first, varied = (merge_answers(answers, schema, rows, seed=seed).table for seed in (None, 1))
    assert varied == merge_answers(answers, schema, rows, seed=1).table
    sentences = [{s.sentence for s in table.rows} for table in (first, varied)]
    assert len(sentences[1] - sentences[0]) > 20
    assert [(s.attribute, s.value) for s in first.rows] == [(s.attribute, s.value) for s in varied.rows]


@pytest.mark.parametrize(
    ("options", "names"),
    [({"method": "vote"}, "vote"), ({"threshold": 1.5}, "1.5"), ({"complement_threshold": -1.0}, "-1")],
)
def test_options_that_cannot_be_are_named(options: dict[str, object], names: str) -> None:
    with pytest.raises(InputError, match=names):
        merge(said("rgb", gender=("male", 0.5)), **options)
