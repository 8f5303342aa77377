"""Owns the realm that Keycloak imports at its first start: `keycloak/realm.json` with the clients of
`keycloak/clients.yaml` and their public keys.

Keycloak puts `amparo_role`, `amparo_unit` and `amparo_region` into tokens from attributes of the user, which only an
administrator can edit; a client that acts for itself has a user of its own (its service account). Source:
`access.tokens`, which says what a token must be.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from access.policy import Role

FOLDER = Path(__file__).with_name("keycloak")
GIVEN = FOLDER / "clients"
"""The public keys that owners of clients sent, a JWK in each file."""
PUBLIC = ("kty", "crv", "x", "y")
TOKEN_SECONDS = 300
ASSERTION_SECONDS = 60


class BadClient(ValueError):
    """A row of the table of clients, or a client's key, that cannot be used. The text names the client."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A row of the table: for whom the client acts, and whether its key is made here or given by its owner."""

    id: str
    role: str
    unit: str = ""
    region: str = ""
    key: Literal["made", "given"]


def clients(table: Path = FOLDER / "clients.yaml") -> tuple[Client, ...]:
    """The rows of the table. Raises `BadClient`."""
    rows: Mapping[str, Mapping[str, str]] = yaml.safe_load(table.read_text())
    found = []
    for name, row in rows.items():
        known = row.get("role") in set(Role) and row.get("key") in ("made", "given")
        if not known or set(row) - {"role", "unit", "region", "key"}:
            said = "a role of Amparo, `key: made` or `key: given`, and perhaps a unit and a region"
            raise BadClient(f"{name}: a client has {said}")
        found.append(Client(id=name, **row))  # type: ignore[arg-type]  # checked above
    return tuple(found)


def given_key(client: Client, folder: Path = GIVEN) -> ECKey | None:
    """The public key that a client's owner sent; ``None`` where there is none yet. Raises `BadClient`."""
    file = folder / f"{client.id}.jwk"
    if not file.exists():
        return None
    try:
        held = json.loads(file.read_text())
        private = "d" in held
        key = ECKey.import_key(held)
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise BadClient(f"{client.id}: {file} is no public JWK") from error
    if private:
        raise BadClient(f"{client.id}: its file holds a private key; that key is known now, ask for a new public one")
    return key


def render(*, mechanism: str, keys: Mapping[str, ECKey], table: tuple[Client, ...]) -> dict[str, Any]:
    """The realm, with those clients of ``table`` that have a key in ``keys``."""
    realm: dict[str, Any] = json.loads((FOLDER / "realm.json").read_text())
    for mapper in realm["clientScopes"][0]["protocolMappers"]:
        if mapper["protocolMapper"] == "oidc-audience-mapper":
            mapper["config"]["included.custom.audience"] = f"amparo:{mechanism}"
    known = [client for client in table if client.id in keys]
    realm["clients"] = [_client(client, keys[client.id]) for client in known]
    realm["users"] = [_account(client) for client in known]
    return realm


def _client(client: Client, key: ECKey) -> dict[str, Any]:
    if key.curve_name != "P-256":
        raise BadClient(f"{client.id}: its key has to be on the curve P-256")
    public = key.as_dict(private=False)
    # The key id is the key's thumbprint (RFC 7638): it is what `access.token_source` writes into its assertions.
    jwk = {**{name: public[name] for name in PUBLIC}, "kid": key.thumbprint(), "use": "sig", "alg": "ES256"}
    return {
        "clientId": client.id,
        "enabled": True,
        "protocol": "openid-connect",
        "publicClient": False,
        "standardFlowEnabled": False,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "serviceAccountsEnabled": True,
        "fullScopeAllowed": False,
        "clientAuthenticatorType": "client-jwt",
        "attributes": {
            "use.jwks.string": "true",
            "jwks.string": json.dumps({"keys": [jwk]}),
            "token.endpoint.auth.signing.alg": "ES256",
            "token.endpoint.auth.signing.max.exp": str(ASSERTION_SECONDS),
            "access.token.signed.response.alg": "ES256",
            "access.token.header.type.rfc9068": "true",
            "dpop.bound.access.tokens": "true",
            "access.token.lifespan": str(TOKEN_SECONDS),
            "client_credentials.use_refresh_token": "false",
        },
        "defaultClientScopes": ["amparo"],
        "optionalClientScopes": [],
        "protocolMappers": [_named(client)],
    }


def _named(client: Client) -> dict[str, Any]:
    """A client that acts for itself is named by its own id (RFC 9068 section 2.2), which outlives Keycloak's database;
    by itself Keycloak would give the random id of the service account."""
    return {
        "name": "sub",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-hardcoded-claim-mapper",
        "config": {
            "claim.name": "sub",
            "claim.value": client.id,
            "jsonType.label": "String",
            "access.token.claim": "true",
            "id.token.claim": "false",
            "userinfo.token.claim": "false",
            "introspection.token.claim": "true",
        },
    }


def _account(client: Client) -> dict[str, Any]:
    said = {"amparo_role": client.role, "amparo_unit": client.unit, "amparo_region": client.region}
    attributes = {name: [value] for name, value in said.items() if value}
    return {
        "username": f"service-account-{client.id}",
        "enabled": True,
        "serviceAccountClientId": client.id,
        "attributes": attributes,
    }
