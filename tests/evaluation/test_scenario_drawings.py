from pathlib import Path

from PIL import Image

from nextreid.evaluation.scenarios.drawings import draw_scenarios


def cell(query: str, gallery: str, score: float | None) -> dict[str, object]:
    metrics = None if score is None else {"mAP": score}
    return {"query": query.split("+"), "gallery": gallery.split("+"), "metrics": metrics}


def drop(rate: float, *, interval: bool = True) -> dict[str, object]:
    metrics: dict[str, object] = {"mAP": 0.5 - rate / 2, "rank1": 0.6}
    if interval:
        metrics |= {"mAP_ci": [0.1, 0.6], "rank1_ci": [0.5, 0.7]}
    return {"rate": rate, "metrics": metrics}


def test_both_are_drawn_beside_the_results(tmp_path: Path) -> None:
    cells = [cell(q, g, None if q != g else 0.5) for q in ("rgb", "nir") for g in ("rgb", "nir")]
    document = {
        "scenarios": {"any-to-any": {"cells": cells}, "random-drop": {"rows": [drop(0.0), drop(0.5)]}}
    }
    drawn = draw_scenarios(document, tmp_path / "a.json")
    assert [path.name for path in drawn] == ["a.any-to-any.png", "a.random-drop.png"]
    for path in drawn:
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) > 200


def test_what_is_not_there_is_not_drawn(tmp_path: Path) -> None:
    assert draw_scenarios({"scenarios": {"missing": {"rows": []}}}, tmp_path / "a.json") == ()
    assert not list(tmp_path.iterdir())


def test_nothing_scored_and_no_intervals_are_no_error(tmp_path: Path) -> None:
    document = {
        "scenarios": {
            "any-to-any": {"cells": [cell("rgb", "rgb", None)]},
            "random-drop": {"rows": [drop(0.1, interval=False), {"rate": 0.9, "metrics": None}]},
        }
    }
    assert len(draw_scenarios(document, tmp_path / "a.json")) == 2
