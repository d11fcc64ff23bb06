import pytest
from subset_world import context_of, subset_world

from nextreid.cli.evaluate_scenarios import ALL, CHOICES, RUNNERS
from nextreid.evaluation.results.provenance import Source
from nextreid.evaluation.results.report import results_document
from nextreid.evaluation.results.report_markdown import (
    SECTIONS,
    all_scores,
    markdown,
    sections_of,
    write_markdown,
)
from nextreid.evaluation.results.report_section import METRIC_HEADER, Table, percent, points, score_row, span
from nextreid.evaluation.scenarios import any_to_any, missing, random_drop
from nextreid.evaluation.scenarios.scenario import FROM_SUBSETS, SCENARIOS
from nextreid.version import __version__


@pytest.fixture(scope="module")
def document():
    rows, embeddings = subset_world(people=4, each=4)
    context = context_of(rows, embeddings, bootstrap=20)
    return results_document(
        context.full,
        data=Source(path="d/manifest.csv", sha256="a" * 64, name="d"),
        selection="last epoch",
        scenarios={
            "missing": missing.run(context),
            "any-to-any": any_to_any.run(context),
            "random-drop": random_drop.run(context),
        },
        scenarios_left_out={"text": "No captions."},
    )


def test_every_scenario_can_be_asked_for_run_and_shown():
    assert (*SCENARIOS, ALL) == CHOICES
    assert tuple(RUNNERS) == SCENARIOS
    assert {f"scenarios.{name}" for name in SCENARIOS} <= set(SECTIONS)
    assert set(FROM_SUBSETS) < set(SCENARIOS)


def test_one_table_holds_every_score(document):
    table = all_scores(document, title="NEXT")
    names = [row[0] for row in table.rows]
    assert table.header == METRIC_HEADER
    assert names[:2] == ["NEXT", "chance"]
    assert {"M(tir)", "M(rgb+nir)", "any to any, none in common", "dropped at rate 0.5"} <= set(names)
    assert len(names) == len(set(names)) == 2 + 7 + 3 + 10
    assert table.rows[0][1] == percent(document["metrics"]["mAP"])
    each = [row["metrics"]["mAP"] for row in document["scenarios"]["missing"]["rows"]]
    assert table.rows[names.index("M(average of 6)")][1:3] == (percent(sum(each) / 6), "")


def test_the_file_has_every_section_and_what_was_not_run(document, tmp_path):
    path = write_markdown(document, tmp_path / "results.json")
    text = path.read_text()
    assert path.name == "results.md"
    assert text == markdown(document)
    for line in (
        "# d: results",
        "## Missing modalities",
        "## Any to any",
        "## Modalities dropped at random",
        "## Not run",
        "- `text`: No captions.",
    ):
        assert line in text.splitlines()
    for section in sections_of(document):
        for table in section.tables:
            assert table.markdown() in text
    for block in text.split("\n\n"):  # every row of a table has as many cells as its header
        lines = [line for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1
    assert "\n\n\n" not in text


def test_the_head_says_what_the_scores_are_of(document):
    model = {"path": "runs/first/model", "sha256": "b" * 64}
    head = markdown({**document, "model": model}).partition("\n|")[0]
    assert f"model `runs/first/model` (sha256 {'b' * 12}), data `d/manifest.csv` (sha256 {'a' * 12})" in head
    assert f"nextreid {__version__}." in head


def test_images_left_out_are_said(document):
    settings = {**document["settings"], "left_out": {"images": 3, "observations": 0, "list": []}}
    assert "3 images could not be read" in markdown({**document, "settings": settings})
    assert "could not be read" not in markdown(document)


def test_a_plain_result_has_the_table_only(document):
    plain = {**document, "scenarios": {}, "scenarios_left_out": {}}
    assert "##" not in markdown(plain)


def test_numbers_as_they_are_written():
    assert (percent(0.1234), percent(None), percent(0.0)) == ("12.3", "", "0.0")
    assert (points(0.0123), points(-0.05), points(None)) == ("+1.2", "-5.0", "")
    assert (span([0.1, 0.25]), span(None), span([])) == ("10.0 to 25.0", "", "")
    assert span([-0.1, 0.25], signed=True) == "-10.0 to +25.0"
    row = score_row("x", {"mAP": 0.5, "mAP_ci": [0.4, 0.6], "rank1": 1.0})
    assert row == ("x", "50.0", "40.0 to 60.0", "100.0", "", "", "", "", "")
    assert Table(("", "a"), (("x", "1"),)).markdown() == "|  | a |\n| --- | ---: |\n| x | 1 |\n"
