import json
from collections import Counter
from pathlib import Path

import pytest
from comparison_cases import write_data, write_run

from nextreid.errors import InputError
from nextreid.evaluation.results.published.beside import beside_published
from nextreid.evaluation.results.published.figures import published
from nextreid.evaluation.results.published.shown import published_remarks, published_table, sources_of
from nextreid.evaluation.results.scored import read_scored
from nextreid.evaluation.results.seeds import group_by_options

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "published_results.json"


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the collected figures are not in this checkout")
def test_every_collected_figure_is_carried_and_no_other():
    collected = json.loads(REFERENCE.read_text())
    names = ("mAP", "R1", "R5", "R10", "R20", "mINP")

    def key(row, metrics):
        return (row["method"], row["dataset"], row["setting"], row["backbone"], row["reported_by"], metrics)

    wanted = Counter(
        key(row, tuple((name, row[name]) for name in names if row.get(name) is not None))
        for row in collected["results"]
    )
    carried = Counter(
        key(vars(row), tuple((name, row.metrics[name]) for name in names if name in row.metrics))
        for row in published().rows
    )
    assert carried == wanted
    assert len(published().conflicts) == len(collected["known_conflicts"])


def test_every_row_has_a_source_and_every_conflict_rows():
    carried = published()
    assert len(carried.rows) > 300
    for row in carried.rows:
        assert all((row.source, row.method, row.backbone, "mAP" in row.metrics)), row
        assert row.dataset in carried.datasets, row
    for conflict in carried.conflicts:
        carried.select(conflict.dataset, conflict.setting)
        methods = {row.method for row in carried.rows if row.dataset == conflict.dataset}
        assert methods >= set(conflict.methods), conflict
    for dataset in carried.datasets.values():
        settings = carried.settings(dataset.name)
        assert set(dataset.protocols.values()) <= set(settings), dataset


def test_the_table_of_the_paper():
    row = next(row for row in published().select("RGBNT201") if row.method == "NEXT")
    best = [each.metrics["mAP"] for each in published().select("RGBNT201")]
    assert best == sorted(best, reverse=True)
    assert row.metrics["mAP"] == 82.4
    assert row.reported_by == "own"


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(InputError, match="nearest is 'RGBNT201'"):
        published().select("RGBNT210")
    with pytest.raises(InputError, match=r"nearest is 'M\(TIR\)'"):
        published().select("RGBNT201", "M(TIT)")


def test_data_sets_are_known_by_layout_or_name():
    carried = published()
    assert carried.dataset_of("anything", "msvr310").name == "MSVR310"
    assert carried.dataset_of("anything", "wmveid863@clean").name == "WMVeID863"
    assert carried.dataset_of("Market1501_MM").name == "Market1501-MM"
    assert carried.dataset_of("world") is None
    assert carried.dataset_of("RGBNT201", "folder") is None  # the layout is the better witness


@pytest.fixture
def groups(tmp_path):
    data = write_data(tmp_path / "RGBNT201")
    paths = [
        write_run(
            tmp_path / f"s{i}", data, draw=i, seed=i, config={"a": 1}, missing=True, data_name="RGBNT201"
        )
        for i in range(2)
    ]
    return group_by_options(read_scored(paths))


def test_results_stand_among_the_published_rows(groups):
    found = {each.setting: each for each in beside_published(groups)}
    six = {"M(RGB)", "M(NIR)", "M(TIR)", "M(RGB+NIR)", "M(RGB+TIR)", "M(NIR+TIR)"}
    assert set(found) == {"full", "M(average of 6)", *six}
    first, second = (member.document for member in groups[0].members)
    (own,) = found["full"].own
    mean = 50 * (first["metrics"]["mAP"] + second["metrics"]["mAP"])
    assert own.metrics["mAP"].mean == pytest.approx(mean)
    assert own.metrics["mAP"].n == 2
    assert own.selection == "last epoch (3)"

    def of(document, name):
        rows = document["scenarios"]["missing"]["rows"]
        return next(row["metrics"] for row in rows if row["name"] == name)

    (own,) = found["M(NIR+TIR)"].own
    wanted = 50 * sum(of(document, "M(nir+tir)")["rank1"] for document in (first, second))
    assert own.metrics["R1"].mean == pytest.approx(wanted)
    (own,) = found["M(average of 6)"].own
    wanted = [
        of(first, f"M({name})")["mAP"] for name in ("rgb", "nir", "tir", "rgb+nir", "rgb+tir", "nir+tir")
    ]
    assert own.metrics["mAP"].low <= 100 * sum(wanted) / 6 + 1e-9
    assert own.metrics["mAP"].high >= 100 * sum(wanted) / 6 - 1e-9


def test_the_table_is_sorted_and_numbers_its_sources(groups):
    (found,) = beside_published(groups, setting="full")
    table = published_table(found)
    column = [float(row[2].partition(" ")[0]) for row in table.rows]
    assert column == sorted(column, reverse=True)
    assert sum(row[0].startswith("**") for row in table.rows) == 1
    assert len(table.rows) < len(found.rows)  # repeated rows stand together
    cited = {int(n.split("]")[0]) for row in table.rows for n in row[-1].split("[")[1:]}
    assert cited == set(range(1, len(sources_of(found)) + 1))
    assert all(len(row) == len(table.header) for row in table.rows)


def test_what_stands_in_the_way_is_said(tmp_path, groups):
    text = " ".join(published_remarks(beside_published(groups, setting="full")[0]))
    assert "selected on the test set" in text
    assert "not comparable" not in text
    assert "other data" not in text
    assert "sources differ on IEEE" in text
    masked = " ".join(published_remarks(beside_published(groups, setting="M(RGB)")[0]))
    assert "fill mask" in masked
    data = write_data(tmp_path / "world")
    strange = write_run(tmp_path / "x", data, protocol="none", layout="rgbnt201@other")
    group = group_by_options(read_scored([strange]))
    text = " ".join(published_remarks(beside_published(group)[0]))
    assert "published rows are under cross-camera, these results under none: not comparable" in text
    assert "rgbnt201@other is a variant" in text


def test_other_data_needs_a_name_and_gets_a_warning(tmp_path):
    run = write_run(tmp_path / "x", write_data(tmp_path / "world"))
    group = group_by_options(read_scored([run]))
    with pytest.raises(InputError, match=r"'world', which is no benchmark.*RGBNT201.*--dataset"):
        beside_published(group)
    (found,) = beside_published(group, dataset="RGBNT201")
    assert "does not call itself RGBNT201" in found.warnings[0]
    with pytest.raises(InputError, match=r"no scores in the setting 'M\(TIR\)'.*--scenario missing"):
        beside_published(group, dataset="RGBNT201", setting="M(TIR)")


def test_without_results_the_figures_alone_are_shown():
    found = beside_published(dataset="RegDB")
    assert [each.setting for each in found] == ["10 trials (V2T by default)"]
    assert "mINP" in published_table(found[0]).header
    with pytest.raises(InputError, match="add --dataset"):
        beside_published()


def test_protocols_with_words_of_their_own_find_their_setting(tmp_path):
    run = write_run(tmp_path / "x", write_data(tmp_path / "LLCM"))
    document = json.loads(run.read_text())
    document["protocol"]["name"] = "llcm/nir2vis"
    run.write_text(json.dumps(document))
    (found,) = beside_published(group_by_options(read_scored([run])))
    assert found.setting == "IR-to-VIS (first column block)"
    assert any("transposed" in warning for warning in found.warnings)


def test_a_data_set_is_known_however_its_name_is_written():
    carried = published()
    assert carried.select("rgbnt201") == carried.select("RGBNT201")
    assert carried.settings("rgbnt-201") == carried.settings("RGBNT201")
    assert beside_published((), dataset="rgbnt201")[0].dataset == "RGBNT201"


def test_the_table_has_one_decimal():
    cells = [
        cell
        for name in published().datasets
        for beside in beside_published((), dataset=name)
        for row in published_table(beside).rows
        for cell in row[2:-1]
        if cell
    ]
    assert {len(cell.partition(".")[2]) for cell in cells} == {1}
