"""The quickstart, tiny: every listed file exists, it can be run again, it never removes foreign files."""

import json
from pathlib import Path

import pytest

from nextreid.cli.main import main
from nextreid.cli.quickstart import FILES, OWN, QuickstartConfig
from nextreid.cli.recipes import FOLDER
from nextreid.config import check
from nextreid.configfile import read_yaml, resolve

TINY = [
    "--world.identities", "12", "--world.per_camera", "1", "--world.cameras", "2", "--world.size", "64x32",
    "--run.data.size", "64x32", "--run.train.epochs", "1", "--run.train.p", "3", "--run.train.k", "2",
    "--bootstrap", "20",
]  # fmt: skip


def test_its_recipe_is_consistent() -> None:
    config = resolve(QuickstartConfig, read_yaml(FOLDER / "quickstart.yaml"))
    check(config.run)
    assert config.run.data.size == config.world.size
    test_identities = config.world.identities * config.world.test_fraction
    assert test_identities >= 20
    assert test_identities * config.world.cameras * config.world.per_camera >= 200


def test_foreign_files_are_left_alone(tmp_path: Path, capsys) -> None:
    (tmp_path / "thesis.doc").write_text("mine")
    (tmp_path / "results.json").write_text("mine too")
    assert main(["quickstart", "--out", str(tmp_path)]) == 2
    assert "thesis.doc" in capsys.readouterr().err
    assert (tmp_path / "results.json").read_text() == "mine too"


def test_a_failed_stage_is_an_error(tmp_path: Path, capsys) -> None:
    words = ["quickstart", "--out", str(tmp_path / "q"), *TINY, "--run.train.p", "99", "--quiet"]
    assert main(words) == 2
    assert "99" in capsys.readouterr().err
    assert not (tmp_path / "q" / "results.json").exists()


@pytest.mark.slow
def test_quickstart_twice(tmp_path: Path, capsys) -> None:
    out = tmp_path / "q"
    for extra in ([], ["--also-embed", str(out / "world")], ["--also-embed", "nowhere"]):
        if extra and extra[1] != "nowhere":  # a data set that survives the clearing
            extra = ["--also-embed", str(_table(tmp_path))]
        capsys.readouterr()
        assert main(["quickstart", "--out", str(out), *TINY, "--json", *extra]) == 0
        document = json.loads(capsys.readouterr().out)
        assert {path.name for path in out.iterdir()} <= set(OWN)
        assert all((out / name).stat().st_size > 0 for name in FILES)
        assert json.loads((out / "results.json").read_text()) == document
    assert set(document["controls"]) == {"untrained", "colour-histogram", "caption-words-of-truth"}
    assert {row["name"] for row in document["scenarios"]["missing"]["rows"]} >= {"M(nir+tir)", "M(rgb+nir)"}
    assert document["chance"]["mAP"] > 0
    assert document["settings"]["captions"] == "none"
    assert "answer" in document["with_captions_from_truth"]["warning"]
    assert document["also_embedded"]["observations"] == 0


def _table(folder: Path) -> Path:
    from PIL import Image

    Image.new("RGB", (32, 64), (200, 10, 10)).save(folder / "red.png")
    table = folder / "own.csv"
    table.write_text("observation,rgb,nir\na,red.png,\nb,,red.png\n")
    return table
