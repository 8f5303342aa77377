"""The stack's one file of settings."""

from pathlib import Path

import pytest

from local import stackfile
from local.faults import StackFault

BROKER = {"AMPARO_KAFKA": "broker.example:9092"}
ISSUER = {
    "AMPARO_ISSUER": "https://id.example",
    "AMPARO_JWKS": "https://id.example/keys",
    "AMPARO_TOKEN_ENDPOINT": "https://id.example/token",
}


def settle(home: Path, **environment: str) -> stackfile.Stack:
    stack = stackfile.settle(home, environment)
    stackfile.write(stack)
    return stack


def test_a_second_start_keeps_ports_and_passwords(tmp_path: Path) -> None:
    """Whoever noted an address yesterday finds the service there today."""
    home = tmp_path / "home"
    assert settle(home).values == settle(home).values == stackfile.read(home)


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    """It holds every password of the stack."""
    home = tmp_path / "home"
    settle(home)
    modes = {path.name: path.stat().st_mode & 0o077 for path in (home, *home.rglob("*"))}
    assert set(modes.values()) == {0}, modes


def test_ports_are_all_different(tmp_path: Path) -> None:
    """Two programs on one port would be one program."""
    stack = settle(tmp_path)
    chosen = [stack.port(name) for name in stackfile.port_names()]
    assert len(set(chosen)) == len(chosen)


@pytest.mark.parametrize("given", [BROKER, ISSUER, {"AMPARO_POSTGRES": "postgresql://a:b@db.example/postgres"}])
def test_a_component_given_once_is_not_ours_at_later_starts_either(tmp_path: Path, given: dict[str, str]) -> None:
    """Who forgets the variable a week later does not find an empty system."""
    stack = settle(tmp_path, **given)
    assert len(stack.values["AMPARO_GIVEN"].split()) == 1
    assert settle(tmp_path).values == stack.values
    assert given.items() <= settle(tmp_path, **stack.values).values.items()


def test_a_component_moves_with_the_address_that_is_given(tmp_path: Path) -> None:
    """An operator's broker gets another name, and nothing else changes."""
    settle(tmp_path, **BROKER)
    moved = settle(tmp_path, AMPARO_KAFKA="other.example:9092")
    assert moved.given("kafka")
    assert settle(tmp_path).values["AMPARO_KAFKA"] == "other.example:9092"


def test_a_component_is_ours_again_when_the_user_says_so(tmp_path: Path) -> None:
    """`AMPARO_KAFKA=embedded make up`; nothing else starts one of ours in its place."""
    settle(tmp_path, **BROKER)
    back = settle(tmp_path, AMPARO_KAFKA="embedded")
    assert not back.given("kafka")
    assert back.values == settle(tmp_path).values
    assert back.values["AMPARO_KAFKA"] == f"127.0.0.1:{back.port('kafka')}"


def test_our_own_settings_read_into_a_terminal_replace_nothing(tmp_path: Path) -> None:
    """Somebody who loaded stack.env into a shell and runs `make up` there still gets the components started."""
    stack = settle(tmp_path)
    again = settle(tmp_path, **stack.values)
    assert again.values["AMPARO_GIVEN"] == ""
    assert again.values == stack.values


def test_an_issuer_is_given_whole_or_not_at_all(tmp_path: Path) -> None:
    """Tokens of one issuer checked with another's keys would lock everybody out, late and without a reason."""
    with pytest.raises(StackFault, match="AMPARO_ISSUER is given without AMPARO_JWKS, AMPARO_TOKEN_ENDPOINT"):
        settle(tmp_path, AMPARO_ISSUER="https://id.example")
    assert settle(tmp_path, **ISSUER).given("issuer")


def test_a_database_server_of_ones_own_gets_our_roles(tmp_path: Path) -> None:
    """The administrator's URL is only used to make them, whichever driver it names."""
    stack = settle(tmp_path, AMPARO_POSTGRES="postgresql://admin:secret@db.example:5432/postgres?sslmode=require")
    url = stack.database("intake_app")
    assert url.startswith("postgresql+psycopg://pe_intake_app:")
    assert url.endswith("@db.example:5432/pe_intake?sslmode=require")
    assert "secret" not in url


def test_a_folder_belongs_to_one_mechanism(tmp_path: Path) -> None:
    """Two countries' records never share a database."""
    settle(tmp_path, AMPARO_MECHANISM="pe")
    with pytest.raises(StackFault, match="holds mechanism pe"):
        settle(tmp_path, AMPARO_MECHANISM="co")
    assert settle(tmp_path).mechanism == "pe"


def test_a_password_with_signs_survives_the_file(tmp_path: Path) -> None:
    """A shell must be able to read the file, and so must we."""
    odd = "postgresql://admin:it's%23$HOME%20;x@db.example/postgres"
    settle(tmp_path, AMPARO_POSTGRES=odd)
    assert stackfile.read(tmp_path)["AMPARO_POSTGRES"] == odd


def test_a_folder_where_nothing_was_started_says_so(tmp_path: Path) -> None:
    """`make status` before `make up` is a question, not a crash."""
    with pytest.raises(StackFault, match="nothing was started") as caught:
        stackfile.existing(tmp_path)
    assert caught.value.advice == "run `make up`"
