"""Folders that may not be written to: one message that names the folder, and no temporary name."""

import errno
from pathlib import Path

import pytest

from nextreid.atomic import written_whole
from nextreid.cli.writing import check_out, check_out_folder
from nextreid.errors import InputError


def test_a_folder_is_asked_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_out_folder(tmp_path / "new" / "deep")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        check_out_folder(tmp_path / "file")

    def refuse(dir: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", f"{dir}/tmpx7")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    for check in (
        lambda: check_out_folder(tmp_path / "new"),
        lambda: check_out(tmp_path / "new" / "x.json", suffixes=[".json"]),
    ):
        with pytest.raises(InputError) as raised:
            check()
        said = str(raised.value)
        assert said.startswith(f"option --out: nothing can be written in {tmp_path} (Permission denied). ")
        assert "What to do: " in said
        assert "tmpx7" not in said


@pytest.mark.parametrize("held", ['{"format": "nextreid.model/1"}', '{"a": 1}', "[]", "no JSON", ""])
def test_a_json_file_of_something_else_is_kept(held: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    check_out(path, suffixes=[".json"], replaces="nextreid.results")
    path.write_text(held)
    for out in (path, tmp_path / "config.md"):  # a verb may write both
        with pytest.raises(InputError, match=r"config\.json holds something else.*name another file"):
            check_out(out, suffixes=[".json", ".md"], replaces="nextreid.results")
    path.write_text('{"format": "nextreid.results/0"}')
    check_out(path, suffixes=[".json"], replaces="nextreid.results")


def test_a_temporary_name_is_in_no_message(tmp_path: Path) -> None:
    out = tmp_path / "captions.parquet"

    def write(error: OSError | None = None) -> None:
        with written_whole(out) as temporary:
            raise error or PermissionError(errno.EROFS, f"Failed to open local file '{temporary}'")

    with pytest.raises(InputError) as raised:
        write()
    assert str(raised.value).startswith(f"captions.parquet cannot be written in {tmp_path} (Read-only file")
    assert ".part" not in str(raised.value)
    with pytest.raises(PermissionError, match="elsewhere"):
        write(PermissionError(errno.EACCES, "Permission denied", "elsewhere"))
    assert not list(tmp_path.iterdir())
