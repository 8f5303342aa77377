"""Making the embedded stack's keys."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from access import keys
from access.authorization import Role
from eventlog.transparency.note import NoteSigner


def snapshot(folder: Path) -> dict[str, str]:
    """Every file's text."""
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    """`make up` runs it each time; a new master key would be the loss of every case."""
    assert keys.init(tmp_path, mechanism="pe")
    before = snapshot(tmp_path)
    assert keys.init(tmp_path, mechanism="pe") == []
    assert snapshot(tmp_path) == before


def test_a_lost_keyring_is_not_replaced_by_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever lost it reads so, and what to do; only who knows that it is gone for good gets another."""
    keys.init(tmp_path, mechanism="pe")
    lost = tmp_path / "keyring" / "keyring.json"
    lost.unlink()
    with pytest.raises(keys.LostKeyring, match="Put it back from your copy"):
        keys.init(tmp_path, mechanism="pe")
    assert keys.main(["init", "--folder", str(tmp_path)]) == 1
    assert "--new-keyring" in capsys.readouterr().err
    assert not lost.exists()
    assert keys.main(["init", "--folder", str(tmp_path), "--new-keyring"]) == 0
    assert lost.exists()


def test_runs_at_the_same_time_make_one_set(tmp_path: Path) -> None:
    """Two starts in parallel do not take each other's keys away."""
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: keys.init(tmp_path / "keys", mechanism="pe"), range(4)))
    assert sorted(map(bool, made)) == [False, False, False, True]


def test_only_the_owner_can_read_any_of_it(tmp_path: Path) -> None:
    """Other users of the machine learn nothing."""
    keys.init(tmp_path / "keys", mechanism="pe")
    for made in (tmp_path / "keys", *(tmp_path / "keys").rglob("*")):
        assert stat.S_IMODE(made.stat().st_mode) & 0o077 == 0, made


def test_a_client_added_later_gets_its_key_and_the_others_keep_theirs(tmp_path: Path) -> None:
    """A new agency joins without anybody else's credentials changing."""
    table = tmp_path / "clients.yaml"
    table.write_text("ngo: {role: filer, unit: ngo-one}\n")
    keys.init(tmp_path / "keys", mechanism="pe", table=table)
    before = snapshot(tmp_path / "keys")
    table.write_text("ngo: {role: filer, unit: ngo-two}\nombudsman: {role: ombudsman, unit: dp}\n")

    assert keys.init(tmp_path / "keys", mechanism="pe", table=table) == ["clients/ombudsman"]

    after = snapshot(tmp_path / "keys")
    assert {name for name in before if before[name] != after[name]} == {"clients.json"}
    registry = json.loads(after["clients.json"])
    assert registry["ngo"]["unit"] == "ngo-two"
    assert registry["ngo"]["jwk"] == json.loads(before["clients.json"])["ngo"]["jwk"]


def test_the_registry_holds_no_private_key(tmp_path: Path) -> None:
    """The issuer can check its clients and cannot be them."""
    keys.init(tmp_path, mechanism="pe")
    for client_id, row in json.loads((tmp_path / "clients.json").read_text()).items():
        assert "d" not in row["jwk"], client_id
        assert "d" in json.loads((tmp_path / "clients" / f"{client_id}.jwk").read_text())


def test_every_client_of_the_table_has_a_role_that_exists(tmp_path: Path) -> None:
    """A misspelled role would be a client that may do nothing."""
    keys.init(tmp_path, mechanism="pe")
    registry = json.loads((tmp_path / "clients.json").read_text())
    assert {row["role"] for row in registry.values()} <= set(Role)


def test_each_source_signs_receipts_under_its_own_name(tmp_path: Path) -> None:
    """A receipt of intake cannot be taken for one of referral."""
    keys.init(tmp_path, mechanism="xx")
    for source in ("xx.intake", "xx.protection", "xx.referral", "xx.timeline"):
        signer = NoteSigner.load((tmp_path / "receipts" / source).read_text())
        assert signer.verifier.name == source
        assert (tmp_path / "receipts" / f"{source}.pub").read_text().strip() == signer.verifier_text


def test_rotation_keeps_one_key_for_the_tokens_it_signed(tmp_path: Path) -> None:
    """Nobody is signed out by a rotation; two rotations end a key."""
    keys.init(tmp_path, mechanism="pe")
    (first,) = [key["kid"] for key in json.loads((tmp_path / "issuer.json").read_text())["keys"]]
    second = keys.rotate_issuer(tmp_path)
    assert [key["kid"] for key in json.loads((tmp_path / "issuer.json").read_text())["keys"]] == [second, first]
    third = keys.rotate_issuer(tmp_path)
    assert [key["kid"] for key in json.loads((tmp_path / "issuer.json").read_text())["keys"]] == [third, second]


def test_the_command_line_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And no more than names: a key printed is a key in somebody's log."""
    assert keys.main(["init", "--folder", str(tmp_path / "k"), "--mechanism", "pe"]) == 0
    assert keys.main(["init", "--folder", str(tmp_path / "k"), "--mechanism", "pe"]) == 0
    assert keys.main(["rotate-issuer", "--folder", str(tmp_path / "none")]) == 1
    printed = capsys.readouterr()
    assert "clients/ngo" in printed.out
    assert "all keys are there" in printed.out
    assert "is missing" in printed.err
    secret = json.loads((tmp_path / "k" / "clients" / "ngo.jwk").read_text())["d"]
    assert secret not in printed.out + printed.err
