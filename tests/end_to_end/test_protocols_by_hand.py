"""Each protocol through the command line, on a small tree, against scores worked out by hand.

In the workings a query's list is written with its distances, nearest first; what the protocol removes is
not in it. Matches are marked with a star.
"""

import json
import random
from fractions import Fraction

import numpy as np
import pandas as pd
import protocol_trees as trees
import pytest

from nextreid.cli.main import main
from nextreid.evaluation.protocols import PROTOCOLS

F = Fraction

TREES = {
    "rgbnt201": (trees.rgbnt201, trees.RGBNT201),
    "msvr310": (trees.msvr310, trees.MSVR310),
    "wmveid863@clean": (trees.wmveid863, trees.WMVEID863),
    "sysu-mm01": (trees.sysu, trees.SYSU),
    "regdb@3": (trees.regdb, trees.REGDB),
    "llcm": (trees.llcm, trees.LLCM),
}

# layout, protocol -> (mAP, Rank-1, mINP, {query: rank of its first match})
BY_HAND = {
    # 258a (1): 260a 1, 258b* 3, 260c 5.5, 260b 7 | 258b (4): 260a 2, 260c 2.5, 258a* 3, 260b 4
    # 260a (2): 258a 1, 258b 2, 260c* 4.5 | 260b (8): 260c* 1.5, 258b 4, 258a 7
    # 260c (6.5): 260b* 1.5, 258b 2.5, 260a* 4.5, 258a 5.5
    ("rgbnt201", "cross-camera"): (
        (F(1, 2) + F(1, 3) + F(1, 3) + 1 + F(5, 6)) / 5,
        F(2, 5),
        (F(1, 2) + F(1, 3) + F(1, 3) + 1 + F(2, 3)) / 5,
        {"000258_cam1_0_00": 2, "000260_cam1_0_00": 3, "000260_cam1_0_01": 1},
    ),
    # as above, but 260a: 258a 1, 258b 2, 260c* 4.5, 260b* 6 | 260b: 260c* 1.5, 258b 4, 260a* 6, 258a 7
    ("rgbnt201", "none"): (
        (F(1, 2) + F(1, 3) + F(5, 12) + F(5, 6) + F(5, 6)) / 5,
        F(2, 5),
        (F(1, 2) + F(1, 3) + F(1, 2) + F(2, 3) + F(2, 3)) / 5,
        {"000260_cam1_0_00": 3, "000260_cam1_0_01": 1},
    ),
    # 2a (0.5): 3a 2.5, 5 4, 2c* 4.5, 3b 8.5 | 2b (2): 3a 1, 5 2.5, 2c* 3, 3b 7
    # 2c (5): 5 0.5, 3a 2, 2b* 3, 3b 4, 2a* 4.5; the others have one scene and are no queries
    ("msvr310", "cross-scene"): (
        (F(1, 3) + F(1, 3) + F(11, 30)) / 3,
        F(0),
        (F(1, 3) + F(1, 3) + F(2, 5)) / 3,
        {"0002_s002_v0_000": 3, "0002_s013_v0_002": 3},
    ),
    # 3a (1): 3b* 1, 5a 2.5, 5b 3, 3c* 5 | 3b (2): 3a* 1, 5a 1.5, 5b 2 | 5a (3.5): 5b* 0.5, ...
    ("wmveid863@clean", "cross-view"): (
        (F(3, 4) + 1 + 1) / 3,
        F(1),
        (F(1, 2) + 1 + 1) / 3,
        {"0003_v0_n0_s999_000": 1},
    ),
    # Trials 1 to 5, image 1 of each: A = cam1/6 at 2, B = cam1/7 at 3, C = cam2/6 at 0.5, D = cam4/7 at 4.4
    #   cam3/6 (1.4): A* 0.6, ... | cam3/7 (5.1): D* 0.7, B* 2.1, A 3.1 (C is in camera 3's room)
    #   cam6/6 (7): D 2.6, B 4, A* 5, C* 6.5: rank 2 in identities
    #   cam6/7 (2.2): A 0.2, B* 0.8, C 1.7, D* 2.2
    # Trials 6 to 10, image 2: A at 6, B at 1, C at 8.1, D at 9
    #   cam3/6: B 0.4, A* 4.6, D 7.6 | cam3/7: A 0.9, D* 3.9, B* 4.1
    #   cam6/6: A* 1, C* 1.1, ... | cam6/7: B* 1.2, A 3.8, C 5.9, D* 6.8
    ("sysu-mm01", "sysu/all-single"): (
        (F(35, 48) + F(34, 48)) / 2,
        F(1, 2),
        (F(3, 4) + F(2, 3)) / 2,
        {"cam3/0006/0001": 1.5, "cam6/0006/0001": 1.5, "cam6/0007/0001": 1.5},
    ),
    # cam3/6: B2 0.4, A1* 0.6, B1 1.6, D1 3, A2* 4.6, D2 7.6
    # cam3/7: D1* 0.7, A2 0.9, B1* 2.1, A1 3.1, D2* 3.9, B2* 4.1
    # cam6/6: A2* 1, C2* 1.1, D2 2, D1 2.6, B1 4, A1* 5, B2 6, C1* 6.5
    # cam6/7: A1 0.2, B1* 0.8, B2* 1.2, C1 1.7, D1* 2.2, A2 3.8, C2 5.9, D2* 6.8
    ("sysu-mm01", "sysu/all-multi"): (
        (F(9, 20) + F(11, 15) + F(3, 4) + F(17, 30)) / 4,
        F(1, 2),
        (F(2, 5) + F(2, 3) + F(1, 2) + F(1, 2)) / 4,
        {"cam3/0006/0001": 2, "cam3/0007/0001": 1},
    ),
    # without D. Trials 1 to 5: cam3/6: A* | cam3/7: B* 2.1, A | cam6/6: B 4, A* 5, C* 6.5 | cam6/7: A, B*, C
    # trials 6 to 10: cam3/6: B, A* | cam3/7: A 0.9, B* 4.1 | cam6/6: A*, C*, B | cam6/7: B*, A, C
    ("sysu-mm01", "sysu/indoor-single"): (
        (F(37, 48) + F(3, 4)) / 2,
        F(1, 2),
        (F(19, 24) + F(3, 4)) / 2,
        {"cam3/0007/0001": 1.5, "cam6/0006/0001": 1.5},
    ),
    # cam3/6: B2, A1*, B1, A2* | cam3/7: A2, B1*, A1, B2* | cam6/6: A2*, C2*, B1, A1*, B2, C1*
    # cam6/7: A1, B1*, B2*, C1, A2, C2
    ("sysu-mm01", "sysu/indoor-multi"): (
        (F(1, 2) + F(1, 2) + F(41, 48) + F(7, 12)) / 4,
        F(1, 4),
        (F(1, 2) + F(1, 2) + F(2, 3) + F(2, 3)) / 4,
        {"cam3/0006/0001": 2, "cam6/0006/0001": 1},
    ),
    # V2a (0.8): T2a* 1.2, T4a 2.4, T2b* 3.7, T4b 8.2 | V2b (5): T2b* 0.5, T4a 1.8, T2a* 3, T4b 4
    # V4a (3): T4a* 0.2, T2a 1, T2b 1.5, T4b* 6 | V4b (8): T4b* 1, T2b 3.5, T4a* 4.8, T2a 6
    ("regdb@3", "regdb/v2t"): (
        (3 * F(5, 6) + F(3, 4)) / 4,
        F(1),
        (3 * F(2, 3) + F(1, 2)) / 4,
        {"Visible/4/v_1": 1},
    ),
    # T2a (2): V4a 1, V2a* 1.2, V2b* 3, V4b 6 | T2b (4.5): V2b* 0.5, V4a 1.5, V4b 3.5, V2a* 3.7
    # T4a (3.2): V4a* 0.2, V2b 1.8, V2a 2.4, V4b* 4.8 | T4b (9): V4b* 1, V2b 4, V4a* 6, V2a 8.2
    ("regdb@3", "regdb/t2v"): (
        (F(7, 12) + F(3, 4) + F(3, 4) + F(5, 6)) / 4,
        F(3, 4),
        (F(2, 3) + F(1, 2) + F(1, 2) + F(2, 3)) / 4,
        {"Thermal/2/t_1": 2},
    ),
    # V2 camera 1 (1): N9e 0.8, N9 2, N2b* 6: image 3, identity 2 | V9 (4): N9* 1, N2 2.5, N2b 3, N9e* 3.8
    # V2 camera 3 (6): N2b* 1, N9 3, N2* 4.5, N9e 5.8
    ("llcm", "llcm/vis2nir"): (
        (F(1, 3) + F(3, 4) + F(5, 6)) / 3,
        F(2, 3),
        (F(1, 3) + F(1, 2) + F(2, 3)) / 3,
        {"test_vis/cam1/0002/0002_c01_f0001_vis": 2},
    ),
    # N2 (1.5): V9 2.5, V2c* 4.5 | N2b (7): V2c* 1, V9 3, V2* 6 | N9 (3): V9* 1, V2 2, V2c 3
    # N9e (0.2): V2 0.8, V9* 3.8, V2c 5.8
    ("llcm", "llcm/nir2vis"): (
        (F(1, 2) + F(5, 6) + 1 + F(1, 2)) / 4,
        F(1, 2),
        (F(1, 2) + F(2, 3) + 1 + F(1, 2)) / 4,
        {"test_nir/cam1/0002/0002_c01_f0001_nir": 2, "test_nir/cam2/0009/0009_c02_f0001_nir": 1},
    ),
}


def evaluate(tmp_path, data, places, *words):
    found = trees.embeddings(tmp_path / "theirs.npz", places)
    out = tmp_path / "results.json"
    command = ["evaluate", "--embeddings", str(found), "--data", str(data), "--metric", "euclidean"]
    assert main([*command, "--out", str(out), "--bootstrap", "20", "--quiet", *words]) == 0
    return json.loads(out.read_text()), pd.read_parquet(tmp_path / "results.per_query.parquet")


def check(document, table, expected):
    mean_ap, rank1, mean_inp, firsts = expected
    metrics = document["metrics"]
    assert metrics["mAP"] == pytest.approx(float(mean_ap), abs=1e-12)
    assert metrics["rank1"] == pytest.approx(float(rank1), abs=1e-12)
    assert metrics["mINP"] == pytest.approx(float(mean_inp), abs=1e-12)
    assert metrics["rank5"] == 1.0
    low, high = metrics["mAP_ci"]
    assert low <= metrics["mAP"] <= high
    ranks = dict(zip(table["query"], table["first_match_rank"], strict=True))
    assert {query: ranks[query] for query in firsts} == firsts
    means = table[table["valid"]].mean(numeric_only=True)
    assert means["ap"] == pytest.approx(metrics["mAP"])


@pytest.mark.parametrize(("layout", "protocol"), BY_HAND)
def test_scores_are_those_worked_out_by_hand(tmp_path, layout, protocol):
    build, places = TREES[layout]
    tree = build(tmp_path / "tree")
    words = ["--layout", layout, "--protocol", protocol]
    document, table = evaluate(tmp_path, tree, places, *words)
    assert document["protocol"] == {"name": protocol, "version": PROTOCOLS[protocol].version}
    check(document, table, BY_HAND[layout, protocol])


def test_every_protocol_is_worked_out_by_hand():
    drawn = {"sysu/all-single@agw", "sysu/indoor-single@agw"}  # below
    assert {protocol for _, protocol in BY_HAND} | drawn == set(PROTOCOLS)


@pytest.mark.parametrize(
    ("protocol", "groups", "one", "two"),
    [
        # Drawn: image 1 of cam1/7: as the official trials 1 to 5 (35/48, 37/48). Image 2 (B at 1):
        #   cam3/6 (1.4): B 0.4, A* 0.6 | cam3/7 (5.1): D* 0.7, A 3.1, B* 4.1
        #   cam6/6 (7): D 2.6, A* 5, B 6, C* 6.5 | cam6/7 (2.2): A 0.2, B* 1.2, C 1.7, D* 2.2
        ("sysu/all-single@agw", [1, 1, 2, 1], (F(35, 48), F(1, 2)), (F(28, 48), F(1, 4))),
        #   without D: cam3/6: B, A* | cam3/7: A 3.1, B* 4.1 | cam6/6: A* 5, B 6, C* 6.5 | cam6/7: A, B*, C
        ("sysu/indoor-single@agw", [1, 1, 2], (F(37, 48), F(1, 2)), (F(28, 48), F(1, 4))),
    ],
)
def test_galleries_of_the_public_python_code(tmp_path, protocol, groups, one, two):
    drawn = []
    for seed in range(10):
        random.seed(seed)
        drawn.append([random.choice(range(size)) for size in groups][2])  # identities 6, 6, 7 (and 7)
    assert 0 < sum(drawn) < 10
    tree = trees.sysu(tmp_path / "SYSU-MM01", only_one=True)
    document, _ = evaluate(tmp_path, tree, trees.sysu_one(), "--protocol", protocol)
    scores = document["trials"]["scores"]
    assert [trial["name"] for trial in scores] == [f"seed {seed}" for seed in range(10)]
    for trial, image in zip(scores, drawn, strict=True):
        assert trial["gallery"] == len(groups)
        expected = (one, two)[image]
        assert trial["metrics"]["mAP"] == pytest.approx(float(expected[0]))
        assert trial["metrics"]["rank1"] == pytest.approx(float(expected[1]))
    share = F(sum(drawn), 10)
    assert document["metrics"]["mAP"] == pytest.approx(float(share * two[0] + (1 - share) * one[0]))


def test_trials_are_reported_and_the_manifest_is_enough(tmp_path, capsys):
    tree = trees.sysu(tmp_path / "SYSU-MM01")
    expected = BY_HAND["sysu-mm01", "sysu/all-single"]
    document, table = evaluate(tmp_path, tree, trees.SYSU)  # recognised, and its default protocol
    check(document, table, expected)
    trials = document["trials"]
    means = [trial["metrics"]["mAP"] for trial in trials["scores"]]
    assert means == pytest.approx([35 / 48] * 5 + [34 / 48] * 5)
    assert trials["spread"]["mAP"] == pytest.approx(np.std(means, ddof=1))
    assert trials["draws"].startswith("10 recorded permutations (exp/rand_perm_cam.mat)")
    assert [trial["gallery"] for trial in trials["scores"]] == [4] * 10
    assert document["queries"] == {
        **{"total": 4, "valid": 4, "removed_by_filter": 0, "without_match": 0},
        "gallery": 4,
    }
    assert table["rank1"].tolist() == [0.5, 0.5, 0.5, 0.5]
    assert "## Trials" in (tmp_path / "results.md").read_text()
    assert main(["verify", str(tmp_path / "results.json"), "--quiet"]) == 0

    manifest = tmp_path / "sysu.csv"
    words = ["--layout", "sysu-mm01", "--out", str(manifest), "--quiet"]
    assert main(["data", "import", str(tree), *words]) == 0
    for path in tree.rglob("*.jpg"):
        path.unlink()  # embeddings and a manifest are enough
    again, table = evaluate(tmp_path, manifest, trees.SYSU)  # it knows what it was imported from
    check(again, table, expected)
    assert again["trials"] == trials
    assert again["settings"]["layout"] == "sysu-mm01"
    lines = [line.split(",") for line in manifest.read_text().splitlines()]
    column = lines[0].index("layout")
    manifest.write_text("".join(",".join(line[:column] + line[column + 1 :]) + "\n" for line in lines))
    capsys.readouterr()
    words = ["--data", str(manifest), "--embeddings", str(tmp_path / "theirs.npz"), "--out", "r.json"]
    assert main(["evaluate", *words]) == 2
    message = capsys.readouterr().err
    assert "names no protocol of its own" in message
    assert "add --protocol sysu/all-single" in message


def test_a_manifest_inside_its_tree_is_what_was_scored(tmp_path):
    """`verify` reads the folder as `evaluate` did: by the manifest in it, not by the layout that it names."""
    tree = trees.sysu(tmp_path / "SYSU-MM01")
    words = ["--out", str(tree / "manifest.csv"), "--quiet"]
    assert main(["data", "import", str(tree), *words]) == 0
    evaluate(tmp_path, tree, trees.SYSU)
    assert main(["verify", str(tmp_path / "results.json"), "--quiet"]) == 0


def test_without_the_permutations_the_way_out_is_named(tmp_path, capsys):
    tree = trees.sysu(tmp_path / "SYSU-MM01", only_one=True)
    found = trees.embeddings(tmp_path / "e.npz", trees.sysu_one())
    words = ["--embeddings", str(found), "--data", str(tree), "--out", str(tmp_path / "r.json")]
    assert main(["evaluate", *words]) == 2
    message = capsys.readouterr().err
    assert "exp/rand_perm_cam.mat" in message
    assert "@agw" in message


def test_protocols_are_listed_with_nothing_else_given(capsys):
    assert main(["evaluate", "--protocol", "list"]) == 0
    shown = capsys.readouterr().out
    for protocol in PROTOCOLS.values():
        assert f"{protocol.name} (version {protocol.version})" in shown
        assert protocol.summary in shown
        assert protocol.citation in shown
    assert main(["evaluate", "--protocol", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["protocols"]
    assert [entry["name"] for entry in listed] == list(PROTOCOLS)
    assert listed[4]["trials"] == 10


def test_what_scoring_needs_is_still_asked_for(tmp_path, capsys):
    for words, missing in (
        ([], "--model or --embeddings, --data, --out"),
        (["--embeddings", "e.npz", "--out", "r.json"], "--data"),
        (["--model", "m", "--data", "d"], "--out"),
    ):
        assert main(["evaluate", "--protocol", "none", *words]) == 2
        assert f"arguments are required: {missing}. " in capsys.readouterr().err
    tree = trees.rgbnt201(tmp_path / "t")
    words = ["--embeddings", "e.npz", "--data", str(tree), "--out", "r.json", "--protocol", "cross-cam"]
    assert main(["evaluate", *words]) == 2
    assert "did you mean cross-camera?" in capsys.readouterr().err


def test_ids_with_the_ending_of_their_files(tmp_path, capsys):
    tree = trees.rgbnt201(tmp_path / "RGBNT201")
    places = {f"{name}.jpg": at for name, at in trees.RGBNT201.items()}
    found = trees.embeddings(tmp_path / "e.npz", places)
    words = ["--embeddings", str(found), "--data", str(tree), "--out", str(tmp_path / "r.json")]
    assert main(["evaluate", *words]) == 2
    assert "name the observations without the ending of their files" in capsys.readouterr().err
