"""Where keys may come from, and that nothing prints them."""

import os
import pickle
import traceback
from pathlib import Path

import pytest

from trader.credentials import (
    KEY_VARIABLE,
    SECRET_VARIABLE,
    credentials_from_environment,
    credentials_from_file,
)
from trader.exits import Mistake

KEY = "PKABCDEFGH12345678"
CANARY = "canarySecretThatNobodyMayEverSee0123456789"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "alpaca.toml"
    path.write_text(f'key = "{KEY}"\nsecret = "{CANARY}"\n')
    path.chmod(0o600)
    return path


def test_both_variables_make_credentials() -> None:
    credentials = credentials_from_environment({KEY_VARIABLE: KEY, SECRET_VARIABLE: CANARY})
    assert credentials is not None
    assert (credentials.key, credentials.secret()) == (KEY, CANARY)


def test_no_variables_are_no_credentials() -> None:
    assert credentials_from_environment({"HOME": "x"}) is None


@pytest.mark.parametrize("name", [KEY_VARIABLE, SECRET_VARIABLE])
def test_one_variable_without_the_other_is_a_mistake(name: str) -> None:
    with pytest.raises(Mistake, match=name) as caught:
        credentials_from_environment({name: CANARY})
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "bad", [CANARY + "\n", CANARY + "\r\nX-Evil: 1", "", CANARY + "é", CANARY * 10]
)
def test_what_could_not_be_a_header_is_refused_without_being_shown(bad: str) -> None:
    with pytest.raises(Mistake) as caught:
        credentials_from_environment({KEY_VARIABLE: KEY, SECRET_VARIABLE: bad})
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_private_file_makes_credentials(key_file: Path) -> None:
    credentials = credentials_from_file(key_file)
    assert (credentials.key, credentials.secret()) == (KEY, CANARY)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o601])
def test_a_file_that_others_may_touch_is_refused(key_file: Path, mode: int) -> None:
    key_file.chmod(mode)
    with pytest.raises(Mistake, match="chmod 600"):
        credentials_from_file(key_file)


def test_a_symbolic_link_is_refused(key_file: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(key_file)
    with pytest.raises(Mistake, match="symbolic link"):
        credentials_from_file(link)


def test_a_file_within_a_git_work_tree_is_refused(key_file: Path) -> None:
    (key_file.parent / ".git").mkdir()
    with pytest.raises(Mistake, match="git work tree"):
        credentials_from_file(key_file)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (tmp_path, tmp_path / "none", tmp_path / "pipe"):
        with pytest.raises(Mistake, match=str(path)):
            credentials_from_file(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_file_of_another_user_is_refused(key_file: Path) -> None:
    os.chown(key_file, 65534, -1)
    with pytest.raises(Mistake, match="another user"):
        credentials_from_file(key_file)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f'secret = "{CANARY}"',
        f"{KEY} {CANARY}",
        f'key = "{KEY}"\nsecret = "{CANARY}',
        f'key = "{KEY}"\nsecret = "{CANARY}"\nextra = 1',
        f'key = 1\nsecret = "{CANARY}"',
        f'key = "{KEY}"\nsecret = "{CANARY} "',
    ],
)
def test_a_file_of_another_form_is_refused_without_being_shown(key_file: Path, text: str) -> None:
    key_file.write_text(text)
    with pytest.raises(Mistake) as caught:
        credentials_from_file(key_file)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_the_secret_is_in_no_output(key_file: Path) -> None:
    credentials = credentials_from_file(key_file)
    shown = [repr(credentials), str(credentials), f"{credentials}", repr({"a": [credentials]})]
    assert not any(CANARY in text or KEY in text for text in shown)
    with pytest.raises(TypeError):
        pickle.dumps(credentials)
