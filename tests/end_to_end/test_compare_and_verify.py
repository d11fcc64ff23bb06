"""Results one can trust: written, verified, compared, put beside published ones; all by the command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from nextreid.cli.main import main

# Five observations of two identities. Angles of their vectors, in degrees, and by camera:
#   a1 0 (1), a2 50 (2), a3 120 (2), b1 20 (1), b2 60 (2)
# cross-camera removes what shares identity and camera with the query. Orders by angle, matches in capitals:
#   a1 (0): b1 20, A2 50, b2 60, A3 120   AP = (1/2 + 2/4) / 2 = 1/2    first match 2, INP 2/4
#   a2 (50): b2 10, b1 30, A1 50          AP = 1/3                     3, 1/3   (a3 shares its camera)
#   a3 (120): b2 60, b1 100, A1 120       AP = 1/3                     3, 1/3   (a2 shares its camera)
#   b1 (20): a1 20, a2 30, B2 40, a3 100  AP = 1/3                     3, 1/3
#   b2 (60): a2 10, B1 40, a1 60, a3 60   AP = 1/2                     2, 1/2
ANGLES = {"a1": 0.0, "a2": 50.0, "a3": 120.0, "b1": 20.0, "b2": 60.0}
FIRST = {"mAP": 2 / 5, "rank1": 0.0, "rank5": 1.0, "mINP": (1 / 2 + 1 / 3 + 1 / 3 + 1 / 3 + 1 / 2) / 5}
BETTER = {"a1": 0.0, "a2": 4.0, "a3": 7.0, "b1": 90.0, "b2": 95.0}  # every first entry is right, every AP 1


@pytest.fixture
def data(tmp_path: Path) -> Path:
    table = tmp_path / "RGBNT201" / "manifest.csv"
    table.parent.mkdir()
    table.write_text(
        "observation,identity,camera,rgb\n"
        "a1,a,1,a1.png\na2,a,2,a2.png\na3,a,2,a3.png\nb1,b,1,b1.png\nb2,b,2,b2.png\n"
    )
    return table.parent


def save(path: Path, angles: dict[str, float]) -> Path:
    """Write what anybody's NumPy writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    radians = np.deg2rad(list(angles.values()))
    np.savez(path, observation=list(angles), embedding=np.stack([np.cos(radians), np.sin(radians)], axis=1))
    return path


def run(capsys: pytest.CaptureFixture[str], *words: object, code: int = 0) -> dict:
    capsys.readouterr()
    assert main([*map(str, words), "--json", "--quiet"]) == code
    return json.loads(capsys.readouterr().out)


def evaluate(capsys, data: Path, out: Path, angles: dict[str, float], **more: object) -> dict:
    file = save(out.parent / "vectors" / f"{out.stem}.npz", angles)
    return run(
        capsys, "evaluate", "--embeddings", file, "--data", data, "--protocol", "cross-camera", "--out", out,
        "--bootstrap", "100", *(word for item in more.items() for word in item),
    )  # fmt: skip


def test_the_worked_case_is_verified(data: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "scores" / "first.json"
    scored = evaluate(capsys, data, out, ANGLES)
    for name, value in FIRST.items():
        assert scored["metrics"][name] == pytest.approx(value, abs=1e-9), name
    assert scored["embeddings"]["path"] == "vectors/first.npz"
    assert json.loads(out.read_text()) == scored
    found = run(capsys, "verify", out)
    assert found["ok"]
    holds = {finding["what"] for finding in found["findings"] if finding["ok"]}
    assert holds >= {"file", "embeddings", "data", "metrics", "per-query table"}


@pytest.mark.parametrize("fault", ["digit", "vector", "file"])
def test_each_fault_is_named(data: Path, tmp_path: Path, capsys, fault: str) -> None:
    out = tmp_path / "first.json"
    evaluate(capsys, data, out, ANGLES)
    vectors = tmp_path / "vectors" / "first.npz"
    if fault == "digit":
        text = out.read_text()
        assert '"rank5": 1.0' in text
        out.write_text(text.replace('"rank5": 1.0', '"rank5": 0.0', 1))
        expected = {"file", "metrics"}
    elif fault == "vector":
        save(vectors, {**ANGLES, "a3": 21.0})
        expected = {"embeddings", "metrics", "per-query table", "verification"}
    else:
        vectors.unlink()
        expected = {"embeddings"}
    found = run(capsys, "verify", out, code=1)
    failed = {finding["what"]: finding["detail"] for finding in found["findings"] if finding["ok"] is False}
    assert set(failed) - {"chance"} <= expected
    assert set(failed) >= expected - {"verification"}
    if fault == "digit":
        assert "metrics.rank5 is 0.0 in the file, 1.0 computed" in failed["metrics"]
    if fault == "file":
        assert "missing" in failed["embeddings"]
    assert main(["verify", str(out)]) == 1
    shown = capsys.readouterr()
    assert "FAILED" in shown.out
    assert "NOT verified" in shown.err


def test_two_results_are_compared_query_by_query(data: Path, tmp_path: Path, capsys) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    evaluate(capsys, data, first, ANGLES)
    evaluate(capsys, data, second, BETTER)
    page = tmp_path / "out" / "both.md"
    found = run(capsys, "compare", second, first, "--out", page)
    tested = found["paired"]["metrics"]
    # differences of AP: 1/2, 2/3, 2/3, 2/3, 1/2: of the 32 signs two (all, none) lie as far from 0
    assert tested["mAP"]["difference"] == pytest.approx(3 / 5)
    assert tested["mAP"]["p"] == pytest.approx(2 / 32)
    # Rank-1: five wins, no loss: McNemar's exact p is 2 / 2^5 as well; Rank-5 is 1 in both
    assert tested["rank1"] == {
        "first": 1.0, "second": 0.0, "difference": 1.0, "interval": [1.0, 1.0], "p": 2 / 32, "exact": True,
    }  # fmt: skip
    assert tested["rank5"]["p"] == 1.0
    assert json.loads(page.with_suffix(".json").read_text()) == found
    assert "| mAP | 100.0 | 40.0 | +60.0 |" in page.read_text()


def test_other_data_is_refused(data: Path, tmp_path: Path, capsys) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    evaluate(capsys, data, first, ANGLES)
    (data / "manifest.csv").write_text((data / "manifest.csv").read_text().replace("b2,b,2", "b2,b,3"))
    evaluate(capsys, data, second, ANGLES)
    assert "not of the same data set" in run(capsys, "compare", first, second, code=2)["error"]["message"]


def test_runs_are_summed_up_over_seeds(data: Path, tmp_path: Path, capsys) -> None:
    paths = []
    for seed, angles in enumerate((ANGLES, BETTER, ANGLES)):
        out = tmp_path / f"s{seed}" / "results.json"
        evaluate(capsys, data, out, angles)
        (out.parent / "model").mkdir()
        (out.parent / "config.yaml").write_text(f"seed: {seed}\noptim: {{rate: 0.1}}\n")
        paths.append(out.parent)
    (group,) = run(capsys, "compare", *paths)["groups"]
    spread = group["metrics"]["mAP"]
    assert [member["seed"] for member in group["runs"]] == [0, 1, 2]
    assert spread["mean"] == pytest.approx((0.4 + 1.0 + 0.4) / 3)
    assert spread["std"] == pytest.approx(0.12**0.5)  # (0.2^2 + 0.4^2 + 0.2^2) / 2
    assert (spread["n"], spread["min"], spread["max"]) == (3, pytest.approx(0.4), pytest.approx(1.0))
    split = run(capsys, "compare", paths[0], paths[1], "--against", paths[2])
    assert [len(each["runs"]) for each in split["groups"]] == [2, 1]
    assert split["over_seeds"]["reason"]


def test_a_result_stands_beside_the_published(data: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "ours.json"
    evaluate(capsys, data, out, BETTER)
    page = tmp_path / "page.json"
    (found,) = run(capsys, "compare", out, "--published", "--out", page)["published"]
    assert (found["dataset"], found["setting"]) == ("RGBNT201", "full")
    assert found["own"][0]["metrics"]["mAP"]["mean"] == pytest.approx(100.0)
    best = max(found["rows"], key=lambda row: row["mAP"])
    lines = page.with_suffix(".md").read_text().splitlines()
    order = [i for i, line in enumerate(lines) if line.startswith(("| **ours**", f"| {best['method']} "))]
    assert lines[order[0]].startswith("| **ours** |")  # 100 stands above the best published row
    assert any("selected on the test set" in warning for warning in found["warnings"])
    assert "Sources:" in lines
    assert main(["compare", str(out), "--published", "--setting", "M(TIR)"]) == 2
    assert "--scenario missing" in capsys.readouterr().err


def test_options_without_effect_are_refused(data: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "first.json"
    evaluate(capsys, data, out, ANGLES)
    for words, message in (
        (["compare"], "nothing to compare"),
        (["compare", str(out)], "alone cannot be compared"),
        (["compare", str(tmp_path / "none.json")], "no results file"),
        (["compare", str(out), str(out)], "given twice"),
        (["compare", str(out), "--dataset", "RGBNT201"], "no effect without --published"),
        (["compare", "--published"], "add --dataset"),
        (["compare", "--published", "--dataset", "RGBNT210"], "nearest is 'RGBNT201'"),
        (["compare", "--published", "--dataset", "LLCM", "--against", str(out)], "there is no first"),
        (["compare", "--published", "--dataset", "LLCM", "--out", "x.txt"], "a file ending in .json or .md"),
        (["verify", str(tmp_path / "none.json")], "no results file"),
    ):
        assert main(words) == 2, words
        assert message in capsys.readouterr().err, words
    words = [
        "evaluate",
        "--embeddings",
        str(tmp_path / "vectors/first.npz"),
        "--data",
        str(data),
        "--out",
        str(out),
    ]
    assert main([*words, "--protocol", "none", "--save-embeddings", "x.npz"]) == 2
    assert "--save-embeddings has no effect" in capsys.readouterr().err


def test_the_vectors_of_a_model_are_kept(world: Path, model: Path, tmp_path: Path, capsys) -> None:
    words = ("evaluate", "--model", model, "--data", world, "--protocol", "cross-camera", "--bootstrap", "20")
    out = tmp_path / "a" / "scores.json"
    scored = run(capsys, *words, "--scenario", "all", "--rerank", "--out", out)
    assert scored["embeddings"]["path"] == "scores.embeddings.npz"
    assert scored["training"]["seed"] == 0
    assert scored["training"]["config"]["train"]["p"] > 0
    (tmp_path / "a").rename(tmp_path / "b")
    found = run(capsys, "verify", tmp_path / "b" / "scores.json")
    holds = {finding["what"] for finding in found["findings"] if finding["ok"]}
    assert holds >= {"file", "embeddings", "metrics", "branches", "verification", "reranked"}
    assert holds >= {f"scenarios.{name}" for name in ("missing", "any-to-any", "random-drop")}
    ran = {f"scenarios.{name}" for name in scored["scenarios"]}
    assert ran <= {finding["what"] for finding in found["findings"]}  # nothing is passed over in silence
    # elsewhere, and nowhere
    run(
        capsys, *words, "--out", tmp_path / "c.json", "--save-embeddings", tmp_path / "e" / "kept.safetensors"
    )
    assert run(capsys, "verify", tmp_path / "c.json")["ok"]
    none = run(capsys, *words, "--out", tmp_path / "d.json", "--save-embeddings", "none")
    assert none["embeddings"] is None
    assert not (tmp_path / "d.embeddings.npz").exists()
    (finding,) = (
        each for each in run(capsys, "verify", tmp_path / "d.json", code=1)["findings"] if each["ok"] is False
    )
    assert "--save-embeddings none" in finding["detail"]
    assert main([str(word) for word in (*words, "--out", out, "--save-embeddings", "x.txt")]) == 2
    assert "option --save-embeddings" in capsys.readouterr().err
