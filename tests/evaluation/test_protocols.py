import json
import re

import pytest
from evaluation_cases import rows_of

from nextreid.errors import InputError
from nextreid.evaluation.protocols import PROTOCOLS, protocol_named

NAMES = [
    *("cross-camera", "cross-scene", "cross-view", "none"),
    *("sysu/all-single", "sysu/all-multi", "sysu/indoor-single", "sysu/indoor-multi"),
    *("sysu/all-single@agw", "sysu/indoor-single@agw"),
    *("regdb/v2t", "regdb/t2v", "llcm/vis2nir", "llcm/nir2vis"),
]


def test_the_protocols_say_what_they_are():
    assert list(PROTOCOLS) == NAMES
    for name, protocol in PROTOCOLS.items():
        assert protocol.name == name
        assert protocol.version >= 1
        assert len(protocol.summary.split()) > 20
        assert protocol.citation
        assert all(other in PROTOCOLS for other, _ in protocol.instead)
        assert json.loads(json.dumps(protocol.document()))["name"] == name
    assert len({protocol.summary for protocol in PROTOCOLS.values()}) == len(PROTOCOLS)
    assert PROTOCOLS["cross-camera"].needs == ("identity", "camera")
    assert PROTOCOLS["cross-scene"].needs == ("identity", "scene")
    assert PROTOCOLS["none"].needs == ("identity",)


def test_unknown_protocol_lists_the_known():
    with pytest.raises(InputError, match=r"cross-camera, .*llcm/nir2vis.*mean sysu/all-single\?"):
        protocol_named("sysu/all_single")


@pytest.mark.parametrize(
    ("name", "removed", "positives"),
    [("cross-camera", [0, 2], [1, 3]), ("cross-scene", [0, 3], [1, 2]), ("none", [0], [1, 2, 3])],
)
def test_what_is_removed(name, removed, positives):
    # the query is entry 0: a at camera 1, scene x; entry 4 is b at camera 1 and scene x
    rows = rows_of("aaaab", "12121", "xyyxx")
    matching = protocol_named(name).match(rows, rows)
    assert matching.removed(0).tolist() == removed
    assert matching.positives(0).tolist() == positives
    assert matching.kept(0).tolist() == [i not in removed for i in range(5)]
    assert matching.positives(4).tolist() == []
    assert not matching.loses_all(4)


def test_a_query_that_loses_all_its_matches():
    rows = rows_of("aabbc", "11121")
    matching = protocol_named("cross-camera").match(rows, rows)
    assert [matching.loses_all(i) for i in range(5)] == [True, True, False, False, False]


def test_distractors_match_nothing_and_stay():
    gallery = rows_of("..a", "..2", prefix="g")
    matching = protocol_named("cross-camera").match(rows_of("a", "1"), gallery)
    assert matching.kept(0).all()
    assert matching.positives(0).tolist() == [2]


@pytest.mark.parametrize(
    ("scenes", "ways"),
    [(None, "use `--protocol none`"), ("xyxy", "use `--protocol cross-scene`; or use `--protocol none`")],
)
def test_missing_camera_names_the_column_and_the_way_out(scenes, ways):
    rows = rows_of("aabb", None, scenes)
    with pytest.raises(InputError, match=r"needs the column `camera`.*" + re.escape(ways)):
        protocol_named("cross-camera").match(rows, rows)


def test_a_partly_filled_column_names_rows():
    rows = rows_of("aabb", "12.2")
    with pytest.raises(InputError, match=r"`camera`, which is empty in 1 of 4 rows: 'o2' \(row 4 of m.csv\)"):
        protocol_named("cross-camera").match(rows, rows)
    with pytest.raises(InputError, match=r"`scene`, which is missing"):
        protocol_named("cross-scene").match(rows, rows)


def test_a_query_without_identity_is_refused():
    with pytest.raises(InputError, match=r"`identity`.*set is_query to false"):
        protocol_named("none").match(rows_of("a.", prefix="q"), rows_of("aa"))


def test_no_query_left_says_which_rule_and_what_to_change():
    rows = rows_of("aabbc", "11221")
    with pytest.raises(InputError) as caught:
        protocol_named("cross-camera").match(rows, rows)
    message = str(caught.value)
    assert "for 4 of 5 queries every match has the same `identity` and `camera`" in message
    assert "the other 1 have no other gallery entry" in message
    assert "use `--protocol none`" in message
    assert "check the column `camera`" in message
    assert "cross-scene" not in message
    with pytest.raises(InputError, match="None of the 3 queries has a match"):
        protocol_named("none").match(rows_of("abc"), rows_of("abc"))


def test_nothing_to_match():
    with pytest.raises(InputError, match="0 queries and 1 gallery"):
        protocol_named("none").match([], rows_of("a"))
