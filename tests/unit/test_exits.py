"""The line that a person reads."""

from trader.exits import Exit, Mistake, StartRefused


def test_a_mistake_says_where_what_and_how_to_put_it_right() -> None:
    mistake = Mistake("is there already", where="a.toml", remedy="move it away")
    assert str(mistake) == "a.toml: is there already (move it away)"
    assert str(Mistake("wrong")) == "wrong"
    assert mistake.exit_code is Exit.MISTAKE


def test_a_refused_start_has_a_code_of_its_own() -> None:
    assert StartRefused("locked").exit_code == 3
