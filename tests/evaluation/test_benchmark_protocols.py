"""Benchmarks and protocols together: every layout's protocols exist, and count as the releases do."""

import sys
from pathlib import Path

import pytest

from nextreid.data.layouts import LAYOUTS
from nextreid.data.manifest import load_manifest
from nextreid.data.match_rules import RULES
from nextreid.data.rows import Row
from nextreid.evaluation.protocols import PROTOCOLS

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
import skeletons


def sides(rows: tuple[Row, ...]) -> tuple[list[Row], list[Row]]:
    return [row for row in rows if row.is_query], [row for row in rows if row.is_gallery]


def test_layouts_and_rules_name_protocols_that_exist() -> None:
    assert set(RULES) == set(PROTOCOLS)
    for layout in LAYOUTS.values():
        assert set(layout.protocols) <= set(PROTOCOLS), layout.name


@pytest.fixture(scope="module")
def sysu(tmp_path_factory: pytest.TempPathFactory) -> tuple[Row, ...]:
    tree = skeletons.sysu_mm01(tmp_path_factory.mktemp("whole") / "SYSU-MM01", whole=True)
    return load_manifest(tree).split("test").rows


@pytest.mark.parametrize(
    ("protocol", "gallery", "valid"),
    [
        ("sysu/all-single", 301, 3803),
        ("sysu/all-multi", 3010, 3803),
        ("sysu/indoor-single", 112, 2208),
        ("sysu/indoor-multi", 1120, 2208),
        ("sysu/all-single@agw", 301, 3803),
        ("sysu/indoor-single@agw", 112, 2208),
    ],
)
def test_sysu_counts(sysu: tuple[Row, ...], protocol: str, gallery: int, valid: int) -> None:
    trials = PROTOCOLS[protocol].apply(*sides(sysu))
    assert len(trials) == 10
    for trial in trials:
        assert (len(trial.queries), len(trial.gallery)) == (3803, gallery)
    matching = trials[0].matching
    assert sum(len(matching.positives(query)) > 0 for query in range(3803)) == valid


def test_msvr310_counts(tmp_path: Path) -> None:
    rows = load_manifest(skeletons.msvr310(tmp_path / "MSVR310", whole=True)).split("test").rows
    (trial,) = PROTOCOLS["cross-scene"].apply(*sides(rows))
    assert (len(trial.queries), len(trial.gallery)) == (591, 1055)
    assert all(len(trial.matching.positives(query)) for query in range(591))


@pytest.mark.parametrize(
    "name", ["rgbnt201", "msvr310", "wmveid863", "market1501-mm", "sysu-mm01", "regdb", "llcm"]
)
def test_the_check_and_the_evaluation_agree_on_lone_queries(name: str, tmp_path: Path) -> None:
    tree = getattr(skeletons, name.replace("-", "_"))(tmp_path / name)
    rows = load_manifest(tree).split("test").rows
    for protocol in LAYOUTS[name].protocols:
        queries, gallery = sides(rows)
        trial = PROTOCOLS[protocol].apply(queries, gallery)[0]
        lone = {
            queries[at].observation
            for place, at in enumerate(trial.queries)
            if not len(trial.matching.positives(place))
        }
        assert lone == {row.observation for row in RULES[protocol].without_match(rows)[0]}, protocol
