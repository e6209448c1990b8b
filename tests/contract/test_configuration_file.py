"""Reading trader.toml from a disk that may hold anything."""

from pathlib import Path

import pytest

from trader.cli.options import Common, file_path, read_config
from trader.config import CONFIG_BYTES_MAX, Config, ConfigError
from trader.exits import Mistake


def common(config: Path | None) -> Common:
    return Common(database=Path("d.db"), log=Path("t.log"), config=config, json=False)


def test_no_file_is_the_defaults() -> None:
    assert read_config(common(None)) == Config()


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"x\.toml: No such file"):
        read_config(common(tmp_path / "x.toml"))


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"[limits]\r\nadds_max = 2 # \xc3\xa9\r\n")
    assert read_config(common(path)).limits.adds_max == 2


def test_ten_megabytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"# long\n" * 1_500_000)
    with pytest.raises(ConfigError, match=f"longer than {CONFIG_BYTES_MAX:,}"):
        read_config(common(path))


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_bytes(b"# one\n# \xff\xfe\n")
    with pytest.raises(ConfigError, match=r"x\.toml:2: not UTF-8"):
        read_config(common(path))


def test_a_path_is_resolved_once_and_may_lead_upwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert file_path("../x.db", "--database") == tmp_path / "x.db"


def test_a_folder_may_be_a_link_but_not_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to("a")
    assert file_path(str(tmp_path / "b" / "x.db"), "--database") == tmp_path / "a" / "x.db"
    (tmp_path / "x.db").symlink_to("nowhere")
    with pytest.raises(Mistake, match="symbolic link"):
        file_path(str(tmp_path / "x.db"), "--database")
