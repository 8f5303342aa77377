"""What make-secrets makes, keeps and refuses, and the realm that it writes for Keycloak."""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from sqlalchemy.engine import make_url

from access.private_files import UnsafeKeyFile
from access.tokens import MAX_LIFETIME
from deploy import make_secrets, realm
from deploy.make_secrets import FILES
from deploy.realm import BadClient, Client
from eventlog.transparency.note import NoteSigner
from runtime.provisioning import VAULT_CLIENTS
from tests.deploy.compose import DEPLOY

POLICE = Client(id="police-somewhere", role="police_unit", unit="pnp-somewhere", key="given")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets of one deployment."""
    path = tmp_path_factory.mktemp("secrets")
    made, missing = make_secrets.make(path, mechanism="pe", owned=False, table=realm.clients())
    assert set(made) == set(FILES)
    assert missing == []
    return path


def test_every_file_is_its_owners_alone(folder: Path) -> None:
    """Each secret is a file with mode 0600, and nothing else is there."""
    assert {file.name for file in folder.iterdir()} == set(FILES)
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_a_second_run_changes_nothing(folder: Path) -> None:
    """What exists is kept: passwords in use stay good."""
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert make_secrets.make(folder, mechanism="pe", owned=False, table=realm.clients()) == ([], [])
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_lost_file_is_made_again_from_what_is_known(folder: Path, tmp_path: Path) -> None:
    """A process's database file is derived from the table of all, so its loss changes no password."""
    lost = folder / "intake_database"
    text = lost.read_text()
    lost.unlink()
    made, _ = make_secrets.make(folder, mechanism="pe", owned=False, table=realm.clients())
    assert made == ["intake_database"]
    assert lost.read_text() == text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_gives_each_file_to_the_user_that_reads_it(tmp_path: Path) -> None:
    """A container without root can read its own files and no other's."""
    make_secrets.make(tmp_path, mechanism="pe", owned=True, table=realm.clients())
    assert {file.name: file.stat().st_uid for file in tmp_path.iterdir()} == FILES


def test_a_file_that_others_could_read_is_not_used(folder: Path, tmp_path: Path) -> None:
    """A secret that lay open is no secret: it is refused, with the file's name."""
    make_secrets.make(tmp_path, mechanism="pe", owned=False, table=())
    (tmp_path / "postgres_admin_password").chmod(0o644)
    with pytest.raises(UnsafeKeyFile, match="postgres_admin_password"):
        make_secrets.make(tmp_path, mechanism="pe", owned=False, table=())


def test_each_process_reaches_its_own_database_as_its_own_role(folder: Path) -> None:
    """Roles are as DESIGN names them; no two secrets share a password."""
    urls = {name: make_url((folder / name).read_text()) for name in FILES if name.endswith("_database")}
    assert {name: (url.database, url.username) for name, url in urls.items()} == {
        **{f"{s}_database": (f"pe_{s}", f"pe_{s}_app") for s in make_secrets.PROCESSES},
        **{f"{s}_owner_database": (f"pe_{s}", f"pe_{s}_owner") for s in make_secrets.PROCESSES},
        **{f"{s}_sequencer_database": (f"pe_{s}", f"pe_{s}_sequencer") for s in make_secrets.STORES},
        **{f"{s}_vault_database": ("pe_vault", f"pe_vault_{s}") for s in VAULT_CLIENTS},
    }
    assert len({url.password for url in urls.values()}) == len(urls)
    known = json.loads((folder / "databases.json").read_text())
    assert {url.render_as_string(hide_password=False) for url in urls.values()} <= set(known.values())
    for role in make_secrets.PLATFORM:
        assert make_url(known[role]).password == (folder / f"{role}_database_password").read_text()


def test_receipts_are_signed_by_the_source_that_they_name(folder: Path) -> None:
    """A source's signer carries the source's name."""
    for service in make_secrets.STORES:
        signer = NoteSigner.load((folder / f"{service}_receipt_key").read_text())
        assert signer.verifier_text.startswith(f"pe.{service}+")


def test_openbaos_key_is_taken_to_the_last_byte(folder: Path) -> None:
    """Its seal's key is 32 bytes in base64 without a line's end, which OpenBao would refuse."""
    text = (folder / "openbao_seal_key").read_text()
    assert text == text.strip()
    assert len(text) == 44


def test_the_realm_gives_tokens_that_the_verifier_takes(folder: Path) -> None:
    """Audience, role, unit, algorithm, type, life and binding of tokens are those that access.tokens asks for."""
    made = json.loads((folder / "keycloak_realm.json").read_text())
    assert made["defaultSignatureAlgorithm"] == "ES256"
    assert made["accessTokenLifespan"] == 300 <= MAX_LIFETIME.total_seconds()
    assert made["defaultDefaultClientScopes"] == []  # Keycloak's own clients give no tokens for Amparo
    (scope,) = made["clientScopes"]
    mappers = {mapper["name"]: mapper for mapper in scope["protocolMappers"]}
    assert mappers["aud"]["config"]["included.custom.audience"] == "amparo:pe"
    for name in ("amparo_role", "amparo_unit", "amparo_region"):
        assert mappers[name]["config"]["claim.name"] == mappers[name]["config"]["user.attribute"] == name
    for client in made["clients"]:
        settings = client["attributes"]
        assert client["clientAuthenticatorType"] == "client-jwt"
        assert settings["token.endpoint.auth.signing.alg"] == settings["access.token.signed.response.alg"] == "ES256"
        assert settings["access.token.header.type.rfc9068"] == settings["dpop.bound.access.tokens"] == "true"
        assert client["defaultClientScopes"] == ["amparo"]
        assert not client["publicClient"]
        assert not client["directAccessGrantsEnabled"]
        assert "secret" not in client


def test_only_administrators_change_roles_and_units() -> None:
    """In Keycloak's profile of users, role and unit are neither seen nor edited by the user; nothing else is kept."""
    (provider,) = realm.render(mechanism="pe", keys={}, table=())["components"][
        "org.keycloak.userprofile.UserProfileProvider"
    ]
    profile = json.loads(provider["config"]["kc.user.profile.config"][0])
    assert profile["unmanagedAttributePolicy"] is None
    permissions = {attribute["name"]: attribute["permissions"] for attribute in profile["attributes"]}
    for name in ("amparo_role", "amparo_unit", "amparo_region"):
        assert permissions[name] == {"view": ["admin"], "edit": ["admin"]}


def test_the_realm_has_the_public_key_of_each_private_one(folder: Path) -> None:
    """The key id in the realm is the one that a process writes into its assertions, and no private key leaves."""
    made = json.loads((folder / "keycloak_realm.json").read_text())
    for client in made["clients"]:
        (jwk,) = json.loads(client["attributes"]["jwks.string"])["keys"]
        own = ECKey.import_key(json.loads((folder / f"{client['clientId']}_client_key").read_text()))
        assert jwk["kid"] == own.thumbprint()
        assert set(jwk) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_a_client_is_named_by_its_id_and_acts_for_its_unit() -> None:
    """An agency's client has its role and unit as attributes of its account, and its id as the token's subject."""
    made = realm.render(mechanism="xx", keys={POLICE.id: ECKey.generate_key("P-256")}, table=(POLICE,))
    (account,), (client,) = made["users"], made["clients"]
    assert account["serviceAccountClientId"] == POLICE.id
    assert account["attributes"] == {"amparo_role": ["police_unit"], "amparo_unit": ["pnp-somewhere"]}
    assert client["protocolMappers"][0]["config"]["claim.value"] == POLICE.id
    assert _audience(made) == "amparo:xx"


def test_a_client_without_a_key_is_left_out_and_named(tmp_path: Path) -> None:
    """Nobody gets in before their public key is there."""
    _, missing = make_secrets.make(tmp_path, mechanism="pe", owned=False, table=(POLICE,))
    assert missing == [POLICE.id]
    assert json.loads((tmp_path / "keycloak_realm.json").read_text())["clients"] == []


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (ECKey.generate_key("P-256").as_dict(private=True), "private key"),
        ({"kty": "EC"}, "no public JWK"),
        ({"kty": "oct", "k": "c2VjcmV0"}, "no public JWK"),
    ],
)
def test_a_key_that_is_not_a_public_one_is_refused(tmp_path: Path, held: Mapping[str, Any], reason: str) -> None:
    """A private key that was sent around is known to others; anything else is no key."""
    (tmp_path / f"{POLICE.id}.jwk").write_text(json.dumps(held))
    with pytest.raises(BadClient, match=reason):
        realm.given_key(POLICE, tmp_path)


def test_a_key_on_another_curve_is_refused() -> None:
    """ES256 is a signature on P-256."""
    with pytest.raises(BadClient, match="P-256"):
        realm.render(mechanism="pe", keys={POLICE.id: ECKey.generate_key("P-384")}, table=(POLICE,))


@pytest.mark.parametrize("row", ["{role: king, key: made}", "{role: service}", "{role: service, key: made, is: x}"])
def test_a_row_that_is_none_of_a_client_is_refused(tmp_path: Path, row: str) -> None:
    """A role that Amparo does not know, or a misspelt field, is told with the client's name."""
    table = tmp_path / "clients.yaml"
    table.write_text(f"somebody: {row}\n")
    with pytest.raises(BadClient, match="somebody"):
        realm.clients(table)


def test_git_and_images_never_see_secrets() -> None:
    """The folder of secrets ignores all that is in it, and images are made without it."""
    assert (DEPLOY / "secrets" / ".gitignore").read_text().splitlines()[-2:] == ["*", "!.gitignore"]
    allowed = [line[1:] for line in (DEPLOY.parent / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert not any("deploy/secrets".startswith(line.rstrip("/*")) for line in allowed if "*.py" not in line)


def _audience(made: Mapping[str, Any]) -> str:
    (found,) = [
        mapper["config"]["included.custom.audience"]
        for mapper in made["clientScopes"][0]["protocolMappers"]
        if mapper["protocolMapper"] == "oidc-audience-mapper"
    ]
    return str(found)


def test_passwords_are_changed_by_deleting_the_table_of_them(tmp_path: Path) -> None:
    """As the operator's guide says: every role of Amparo gets a new password, Temporal and Keycloak keep theirs."""
    make_secrets.make(tmp_path, mechanism="pe", owned=False, table=())
    before = {name: (tmp_path / name).read_text() for name in FILES if (tmp_path / name).exists()}
    (tmp_path / "databases.json").unlink()
    made, _ = make_secrets.make(tmp_path, mechanism="pe", owned=False, table=())
    assert set(made) == {"databases.json", *(name for name in before if name.endswith("_database"))}
    assert all((tmp_path / name).read_text() != before[name] for name in made)
