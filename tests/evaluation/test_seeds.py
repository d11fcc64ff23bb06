import statistics

import pytest
from comparison_cases import write_data, write_run

from nextreid.errors import InputError
from nextreid.evaluation.results.scored import read_scored
from nextreid.evaluation.results.seeds import (
    group_by_options,
    groups_as_given,
    mean_and_std,
    pair_by_seed,
    spread,
)


def config(rate):
    return {"data": {"path": "d"}, "optim": {"rate": rate}}


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "d")


def runs(tmp_path, data, which):
    """Write runs named like `s0-0.1`; return them read."""
    paths = []
    for index, (seed, rate) in enumerate(which):
        folder = tmp_path / f"r{index}"
        known = None if rate is None else config(rate)
        paths.append(write_run(folder, data, draw=10 + index, seed=seed, config=known))
    return read_scored(paths)


def test_mean_and_spread():
    found = spread([0.1, 0.4, 0.1])
    assert (found.n, found.low, found.high) == (3, 0.1, 0.4)
    assert found.mean == pytest.approx(0.2)
    assert found.std == pytest.approx(statistics.stdev([0.1, 0.4, 0.1]))
    assert spread([0.3]).std is None
    assert mean_and_std(spread([0.5, 0.7]), scale=100.0) == "60.0 ± 14.1"
    assert mean_and_std(spread([0.5]), scale=100.0) == "50.0"


def test_runs_are_grouped_by_everything_but_the_seed(tmp_path, data):
    found = group_by_options(runs(tmp_path, data, [(1, 0.1), (0, 0.2), (0, 0.1), (2, 0.1), (1, 0.2)]))
    assert [group.name for group in found] == ["optim.rate=0.1", "optim.rate=0.2"]
    assert [group.seeds for group in found] == [(0, 1, 2), (0, 1)]
    first = found[0]
    values = [member.metrics["mAP"] for member in first.members]
    assert first.metrics["mAP"].mean == pytest.approx(statistics.mean(values))
    assert first.metrics["mAP"].std == pytest.approx(statistics.stdev(values))
    assert not first.notes


def test_where_the_data_lay_is_no_option(tmp_path, data):
    elsewhere = {"data": {"path": "other"}, "optim": {"rate": 0.1}}
    one = write_run(tmp_path / "a", data, seed=0, config=config(0.1))
    other = write_run(tmp_path / "b", data, draw=1, seed=1, config=elsewhere)
    assert len(group_by_options(read_scored([one, other]))) == 1


def test_doubts_are_noted(tmp_path, data):
    (unknown,) = group_by_options(runs(tmp_path / "u", data, [(None, None), (None, None)]))
    assert unknown.name == "all"
    assert "configuration of r0, r1 is not known" in unknown.notes[0]
    (twice,) = group_by_options(runs(tmp_path / "t", data, [(0, 0.1), (0, 0.1), (1, 0.1)]))
    assert "seed 0 occurs more than once" in twice.notes[0]


def test_one_model_under_two_seeds_is_noticed(tmp_path, data):
    paths = [write_run(tmp_path / f"r{i}", data, draw=3, seed=i, config=config(0.1)) for i in range(2)]
    (group,) = group_by_options(read_scored(paths))
    assert "r0, r1 were made from the same embeddings" in group.notes[0]


def test_groups_are_paired_by_seed(tmp_path, data):
    results = runs(tmp_path, data, [(0, 0.1), (1, 0.1), (2, 0.1), (2, 0.2), (1, 0.2), (7, 0.2)])
    first, second = group_by_options(results)
    found = pair_by_seed(first, second)
    assert found.seeds == (1, 2)
    gaps = [
        results[1].metrics["mAP"] - results[4].metrics["mAP"],
        results[2].metrics["mAP"] - results[3].metrics["mAP"],
    ]
    gap = found.metrics["mAP"]
    assert gap.mean == pytest.approx(statistics.mean(gaps))
    assert gap.std == pytest.approx(statistics.stdev(gaps))
    # Student's t with one degree of freedom: 12.706 standard errors
    reach = 12.7062047 * statistics.stdev(gaps) / 2**0.5
    assert gap.interval == pytest.approx((gap.mean - reach, gap.mean + reach))
    assert gap.significance.exact
    assert gap.significance.p in (0.5, 1.0)  # of four sign patterns, two or all lie as far out


def test_groups_that_cannot_be_paired_say_why(tmp_path, data):
    known = runs(tmp_path / "k", data, [(0, 0.1), (1, 0.1), (2, 0.2), (3, 0.2)])
    assert "share 0 seeds" in pair_by_seed(*group_by_options(known)).reason
    unknown = runs(tmp_path / "u", data, [(None, None), (None, None), (0, 0.2), (1, 0.2)])
    first, second = groups_as_given(unknown[:2], unknown[2:])
    assert "does not know the seed" in pair_by_seed(first, second).reason
    repeated = runs(tmp_path / "r", data, [(0, 0.1), (0, 0.1), (0, 0.2), (1, 0.2)])
    assert "has a seed twice" in pair_by_seed(*group_by_options(repeated)).reason


def test_groups_of_different_data_are_refused(tmp_path, data):
    other = write_data(tmp_path / "e", identities="aaabbbcccddd")
    one = write_run(tmp_path / "a", data)
    two = write_run(tmp_path / "b", other)
    with pytest.raises(InputError, match="not of the same data set"):
        group_by_options(read_scored([one, two]))


def test_one_run_has_no_spread(tmp_path, data):
    (group,) = group_by_options(runs(tmp_path, data, [(4, 0.1)]))
    assert group.name == "r0"
    assert group.metrics["mAP"].std is None


def test_numbered_splits_of_a_benchmark_count_as_one_data_set(tmp_path):
    """RegDB: ten splits, a model for each; the published figure is the mean over them."""
    paths = []
    for split in (1, 2, 3):
        data = write_data(
            tmp_path / f"d{split}", identities="aaabbbcccdde" if split == 1 else f"aaabbbcccdd{split}"
        )
        for rate in (0.1, 0.2):
            known = {"data": {"layout": f"regdb@{split}"}, "optim": {"rate": rate}}
            folder = tmp_path / f"r{split}-{rate}"
            layout = "regdb" if split == 1 else f"regdb@{split}"
            paths.append(write_run(folder, data, draw=len(paths), seed=0, config=known, layout=layout))
    results = read_scored(paths)
    first, second = group_by_options(results)
    assert len(first.members) == len(second.members) == 3
    assert "splits 1, 2, 3 of regdb" in first.notes[0]
    assert len(first.notes) == 1  # seed 0 is no repeat on another split
    paired = pair_by_seed(first, second)
    assert paired.seeds == (0, 0, 0)
    gaps = [results[2 * i].metrics["mAP"] - results[2 * i + 1].metrics["mAP"] for i in range(3)]
    assert paired.metrics["mAP"].mean == pytest.approx(statistics.mean(gaps))
    changed = write_data(tmp_path / "other", identities="aaabbbcccddf")
    strange = write_run(tmp_path / "x", changed, seed=1, layout="regdb@2")
    with pytest.raises(InputError, match="not of the same data set"):
        group_by_options([*results, *read_scored([strange])])
    elsewhere = write_run(tmp_path / "y", changed, seed=1, layout="msvr310")
    with pytest.raises(InputError, match="not of the same data set"):
        group_by_options([*results, *read_scored([elsewhere])])
