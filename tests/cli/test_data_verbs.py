"""`nextreid data list | import | check` on skeleton trees, as a user types them."""

import json
import sys
from pathlib import Path

import pytest

from nextreid.cli.evaluate_protocols import protocol_for
from nextreid.cli.main import main
from nextreid.data.manifest import load_manifest

sys.path.insert(0, str(Path(__file__).parents[1] / "data"))
import skeletons

LAYOUTS = {
    "rgbnt201": "cross-camera",
    "rgbnt100": "cross-camera",
    "rgbn300": "cross-camera",
    "msvr310": "cross-scene",
    "wmveid863": "cross-view",
    "market1501-mm": "cross-camera",
    "sysu-mm01": "sysu/all-single",
    "regdb": "regdb/v2t",
    "llcm": "llcm/vis2nir",
    "folder": "cross-camera",
}


def grown(root: Path, name: str) -> Path:
    if name == "folder":
        plant = skeletons.Planter(root)
        for person in ("ann", "bob"):
            for camera in (1, 2):
                plant.image(f"{person}/rgb/{person}_c{camera}_0.jpg")
        return root
    makers = {
        "rgbnt100": lambda path: skeletons.strips(path, tiles=3),
        "rgbn300": lambda path: skeletons.strips(path, tiles=2),
    }
    return makers.get(name, getattr(skeletons, name.replace("-", "_"), None))(root)


def test_list_explains_every_layout(capsys) -> None:
    assert main(["data", "list", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["layouts"]}
    assert {name: entry["protocol"] for name, entry in listed.items()} == LAYOUTS
    assert listed["rgbnt201"]["counts"]["train"] == 3951
    assert listed["wmveid863"]["variants"].keys() == {"clean"}
    assert len(listed["regdb"]["variants"]) == 10
    assert all(len(entry["about"]) > 150 and entry["citation"] for entry in listed.values())
    assert main(["data", "list"]) == 0
    text = capsys.readouterr().out
    assert "regdb@1 to 10" in text
    assert "file names like 0002_v0_n9_s002_020.jpg: identity, view" in text
    assert "counts: train 1032" in text


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_import_then_check(name: str, tmp_path: Path, capsys) -> None:
    tree, out = grown(tmp_path / "tree", name), tmp_path / "data.csv"
    chosen = ["--layout", name] if name == "folder" else []
    assert main(["data", "import", str(tree), *chosen, "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["layout"], told["protocol"]) == (name, LAYOUTS[name])
    assert told["observations"] == len(load_manifest(out))
    assert load_manifest(out).layout == name
    main(["data", "check", str(out), "--json"])
    assert json.loads(capsys.readouterr().out)["protocol"] == LAYOUTS[name], "as imported"
    code = main(["data", "check", str(tree), *chosen, "--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["protocol"] == LAYOUTS[name]
    assert code == (1 if name == "wmveid863" else 0)
    assert report["protocol_because"]


def test_check_shows_a_few_findings_of_each_kind(tmp_path: Path, capsys) -> None:
    tree = skeletons.rgbnt201(tmp_path / "RGBNT201")
    for name in (*skeletons.RGBNT201_SMALL["train_171"][1:], *skeletons.RGBNT201_SMALL["test"][1:]):
        next(tree.glob(f"*/NI/{name}")).unlink()
    assert main(["data", "check", str(tree)]) == 0
    text = capsys.readouterr().out
    assert text.count("but no nir") == 5
    assert "warning: 1 more unpaired-modality (--json lists all)" in text
    assert "6 warning unpaired-modality" in text


def test_a_folder_without_cameras_is_scored_as_it_is_checked(tmp_path: Path, capsys) -> None:
    tree = tmp_path / "mine"
    for name in ("ann/1.jpg", "ann/2.jpg"):
        skeletons.Planter(tree).image(name)
    assert main(["data", "check", str(tree), "--layout", "folder", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["protocol"] == "none"
    assert protocol_for(load_manifest(tree, layout="folder"), None).name == "none"


def test_variants_by_name(tmp_path: Path, capsys) -> None:
    tree = skeletons.regdb(tmp_path / "RegDB")
    assert main(["data", "import", str(tree), "--layout", "regdb@3", "--out", str(tmp_path / "m.csv")]) == 0
    manifest = load_manifest(tmp_path / "m.csv")
    assert manifest.split("test").identities == ("1", "4")
    assert manifest.layout == "regdb@3", "by which `compare` knows the split"
    assert main(["data", "check", str(tree), "--layout", "regdb@30"]) == 2
    assert "regdb@10" in capsys.readouterr().err


def test_check_shows_captions_that_are_missing(tmp_path: Path, capsys) -> None:
    tree = skeletons.rgbnt201(tmp_path / "RGBNT201")
    (tree / "text").mkdir()
    entries = [{"item": name, "description": "A person."} for name in skeletons.RGBNT201_SMALL["test"][1:]]
    (tree / "text" / "test_RGB.json").write_text(json.dumps(entries))
    assert main(["data", "check", str(tree), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    missing = [f["message"] for f in report["findings"] if f["rule"] == "captions-missing"]
    assert len(missing) == 6
    assert any(
        "test_RGB.json has no caption for 1 of 5 rgb images: 000258_cam1_0_00" in text for text in missing
    )
