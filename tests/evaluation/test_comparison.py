import json

import numpy as np
import pandas as pd
import pytest
from comparison_cases import write_data, write_run

from nextreid.errors import InputError
from nextreid.evaluation.ranking import METRIC_NAMES
from nextreid.evaluation.results.comparison import check_same, compare_paired, differing_options
from nextreid.evaluation.results.scored import read_scored

CONFIG = {"data": {"path": "d"}, "optim": {"rate": 0.001}}


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "d")


def two(tmp_path, data, **more):
    one = write_run(tmp_path / "a", data, draw=1, noise=0.5, seed=0, config=CONFIG)
    other = {"draw": 2, "noise": 1.5, "seed": 0, "config": CONFIG, **more}
    return read_scored([one, write_run(tmp_path / "b", other.pop("onto", data), **other)])


def test_the_difference_is_that_of_the_per_query_tables(tmp_path, data):
    a, b = two(tmp_path, data)
    found = compare_paired(a, b, bootstrap=200, draws=500)
    tables = [pd.read_parquet(each.table) for each in (a, b)]
    one, other = (table[table["valid"]] for table in tables)
    for name, gaps in (
        ("mAP", one["ap"].to_numpy() - other["ap"].to_numpy()),
        (
            "rank1",
            (one["first_match_rank"] <= 1).to_numpy(float) - (other["first_match_rank"] <= 1).to_numpy(float),
        ),
        ("mINP", one["inp"].to_numpy() - other["inp"].to_numpy()),
    ):
        tested = found.metrics[name]
        assert tested.difference.difference == pytest.approx(gaps.mean())
        assert tested.difference.first == pytest.approx(a.metrics[name])
        assert tested.difference.second == pytest.approx(b.metrics[name])
        low, high = tested.difference.interval
        assert gaps.min() <= low <= high <= gaps.max()
        # a slow twin: all signs of these few queries
        n = len(gaps)
        signs = 1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
        far = np.abs(signs @ gaps) >= abs(gaps.sum()) - 1e-12
        assert tested.significance.exact
        assert tested.significance.p == pytest.approx(far.mean())
    assert found.queries == len(one)
    assert set(found.metrics) == set(METRIC_NAMES)


def test_swapping_the_two_turns_the_sign_and_keeps_p(tmp_path, data):
    a, b = two(tmp_path, data)
    there, back = compare_paired(a, b), compare_paired(b, a)
    for name in METRIC_NAMES:
        assert there.metrics[name].difference.difference == -back.metrics[name].difference.difference
        assert there.metrics[name].significance == back.metrics[name].significance


def test_another_data_set_is_refused_by_name(tmp_path, data):
    other = write_data(tmp_path / "e", identities="aaabbbcccddd")
    a, b = two(tmp_path, data, onto=other)
    with pytest.raises(InputError, match=r"not of the same data set: d \(sha256 .* and e \(sha256") as error:
        compare_paired(a, b)
    assert "What to do" in str(error.value)


def test_another_protocol_and_version_are_refused_together(tmp_path, data):
    a, b = two(tmp_path, data, protocol="none")
    with pytest.raises(InputError, match="protocol: cross-camera and none"):
        check_same(a, b)
    edit(b.path, lambda document: document["protocol"].update(name="cross-camera", version=99))
    with pytest.raises(InputError, match="version of the protocol: 1 and 99"):
        check_same(*read_scored([a.path, b.path]))


def test_other_queries_are_named(tmp_path, data):
    a, b = two(tmp_path, data)
    table = pd.read_parquet(b.table)
    table.loc[0, "query"] = "stranger"
    table.to_parquet(b.table)
    with pytest.raises(InputError, match=r"different queries .*'o0' only in a, 'stranger' only in b"):
        compare_paired(*read_scored([a.path, b.path]))


def test_queries_in_another_order_are_refused(tmp_path, data):
    a, b = two(tmp_path, data)
    pd.read_parquet(b.table).iloc[::-1].to_parquet(b.table)
    with pytest.raises(InputError, match="the same ones in another order"):
        compare_paired(*read_scored([a.path, b.path]))


def test_a_table_of_another_result_is_refused(tmp_path, data):
    a, b = two(tmp_path, data)
    b.table.write_bytes(a.table.read_bytes())
    with pytest.raises(InputError, match=r"per_query.parquet does not belong to .*mean mAP"):
        compare_paired(*read_scored([a.path, b.path]))


@pytest.mark.parametrize("fault", ["absent", "damaged", "column", "twice", "invalid"])
def test_a_bad_table_is_refused(tmp_path, data, fault):
    a, b = two(tmp_path, data)
    table = pd.read_parquet(b.table)
    if fault == "absent":
        b.table.unlink()
    elif fault == "damaged":
        b.table.write_bytes(b.table.read_bytes()[:100])
    elif fault == "column":
        table.drop(columns="inp").to_parquet(b.table)
    elif fault == "twice":
        table.assign(query="o1").to_parquet(b.table)
    else:
        table.assign(valid=False).to_parquet(b.table)
    words = {
        "absent": "no per-query table",
        "damaged": "not a readable Parquet",
        "column": "no column inp",
        "twice": "names a query twice",
        "invalid": "no valid query",
    }
    with pytest.raises(InputError, match=words[fault]):
        compare_paired(*read_scored([a.path, b.path]))


def test_what_differs_is_told(tmp_path, data):
    config = {"data": {"path": "elsewhere"}, "optim": {"rate": 0.01}, "model": {"rho": 0.5}}
    a, b = two(tmp_path, data, seed=3, config=config, settings={"captions": "own"})
    found = {each.option: (each.first, each.second) for each in differing_options(a, b)}
    assert found == {
        "settings.captions": ("none", "own"),
        "training.seed": (0, 3),
        "training.optim.rate": (0.001, 0.01),
        "training.model.rho": (None, 0.5),
    }


def test_images_left_out_are_a_difference(tmp_path, data):
    lost = {"images": 1, "observations": 0, "list": [{"observation": "o1", "modality": "rgb", "reason": "x"}]}
    whole = write_run(
        tmp_path / "a", data, settings={"left_out": {"images": 0, "observations": 0, "list": []}}
    )
    part = write_run(tmp_path / "b", data, settings={"left_out": lost})
    (difference,) = differing_options(*read_scored([whole, part]))
    assert difference.option == "settings.left_out"
    assert difference.first == "no image"
    assert difference.second.startswith("1 images (sha256 ")


def test_where_a_configuration_is_not_known_only_scoring_is_compared(tmp_path, data):
    a, b = two(tmp_path, data, config=None)
    assert differing_options(a, b) == ()


def test_results_are_found_in_folders(tmp_path, data):
    run = write_run(tmp_path / "r", data)
    assert read_scored([tmp_path / "r"])[0].path == run
    alone = write_run(tmp_path / "s", data, name="scores.json")
    (tmp_path / "s" / "other.json").write_text("{}")
    assert read_scored([tmp_path / "s"])[0].path == alone
    assert [each.name for each in read_scored([run, alone])] == ["r", "scores"]
    write_run(tmp_path / "s", data, name="more.json")
    with pytest.raises(InputError, match=r"holds more.json, scores.json.*give one of them"):
        read_scored([tmp_path / "s"])
    (tmp_path / "empty" / "model").mkdir(parents=True)
    with pytest.raises(InputError, match=r"holds no results.*nextreid evaluate --model .*empty/model"):
        read_scored([tmp_path / "empty"])
    with pytest.raises(InputError, match="no results file and no folder"):
        read_scored([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="given twice"):
        read_scored([run, tmp_path / "r"])


def test_a_file_without_metrics_is_refused(tmp_path, data):
    run = write_run(tmp_path / "r", data)
    edit(run, lambda document: document["metrics"].pop("mINP"))
    with pytest.raises(InputError, match="has no mINP"):
        read_scored([run])
    for key in ("metrics", "data", "protocol", "settings", "scenarios"):
        other = write_run(tmp_path / key, data)
        edit(other, lambda document, key=key: document.update({key: [1]}))
        with pytest.raises(InputError, match=f"has no {key}"):
            read_scored([other])


def test_the_configuration_is_found_beside_older_results(tmp_path, data):
    run = write_run(tmp_path / "q", data)
    folder = tmp_path / "q" / "run"
    (folder / "model").mkdir(parents=True)
    (folder / "config.yaml").write_text("seed: 5\noptim: {rate: 0.1}\n")
    (found,) = read_scored([run])
    assert (found.seed, found.config) == (5, {"optim": {"rate": 0.1}})


def test_tables_of_several_trials_have_columns_of_ranks(tmp_path, data):
    run = write_run(tmp_path / "r", data)
    (scored,) = read_scored([run])
    table = pd.read_parquet(scored.table)
    for k in (1, 5, 10, 20):
        table[f"rank{k}"] = (table["first_match_rank"] <= k).astype(float)
    table["first_match_rank"] = 99.0  # must not be read for the ranks now
    table.to_parquet(scored.table)
    (again,) = read_scored([run])
    assert again.per_query.metrics()["rank5"] == pytest.approx(scored.metrics["rank5"])


def first_is_right(table):
    return (table["first_match_rank"] <= 1).to_numpy(float)


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_a_result_of_the_current_folder_is_called_by_its_file(tmp_path, data, monkeypatch):
    one = write_run(tmp_path / "some-folder", data)
    other = write_run(tmp_path / "b", data)
    monkeypatch.chdir(one.parent)
    for given in ("results.json", "."):
        assert [each.name for each in read_scored([given, "../b"])] == ["results", "b"]
    assert [each.name for each in read_scored([one, other])] == ["some-folder", "b"]
