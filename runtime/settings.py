"""Every setting of every process, from the environment (prefix ``AMPARO_``) or from files below ``/run/secrets``."""

from pathlib import Path
from typing import Any, Literal, Self

from limits import parse
from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SecretsSettingsSource, SettingsConfigDict

from runtime.passwords import weak_password

CHECKOUT = Path(__file__).resolve().parents[1]
SECRETS = Path("/run/secrets")

ServiceName = Literal["intake", "protection", "referral", "timeline", "vault"]


class SettingMissing(Exception):
    """A process was started without a setting that it needs; the text names the variable."""


class Settings(BaseSettings):
    """One process's settings. A process needs only some of them, so each has a default; `need` says which one is
    missing.

    A file ``/run/secrets/amparo_database`` stands for the variable ``AMPARO_DATABASE``; the variable wins. URLs hold
    passwords, so no field that may hold one shows in ``repr``.
    """

    model_config = SettingsConfigDict(env_prefix="AMPARO_", extra="ignore", frozen=True, hide_input_in_errors=True)

    home: Path = CHECKOUT / ".amparo"
    """Embedded data folder."""
    environment: Literal["embedded", "production"] = "production"
    """``embedded`` allows the local keyring and the built-in issuer."""
    mechanism: str = Field(default="pe", pattern=r"^[a-z][a-z0-9_-]{0,30}$")
    """Prefix of sources and topics: one mechanism, such as a country's."""

    database: str = Field(default="", repr=False)
    """SQLAlchemy URL of this process's database as its application role."""
    sequencer_database: str = Field(default="", repr=False)
    """The same database as the sequencer's role."""
    owner_database: str = Field(default="", repr=False)
    """The same database as its owner; only migrations use it."""
    vault_database: str = Field(default="", repr=False)
    """The vault's database as this service's vault role."""

    kafka: str = ""
    """Bootstrap servers, comma separated."""
    transport_key: Path | None = None
    """File: the key of the tags by which records that come through Kafka show that their source published them; the
    same for every process of the mechanism."""
    replication: int = Field(default=1, ge=1, le=9)
    """On how many brokers a topic is made; where they are several, all but one must have a record before it counts."""
    temporal: str = ""
    """``host:port`` of Temporal's frontend."""
    temporal_namespace: str = ""
    """Default ``amparo``, embedded ``default``."""

    issuer: str = ""
    """The ``iss`` of accepted tokens."""
    jwks: str = ""
    """URL of the issuer's public keys."""
    token_endpoint: str = ""
    """URL where this process gets its own tokens."""
    audience: str = ""
    """The ``aud`` of accepted tokens; default ``amparo:<mechanism>``."""
    client_id: str = ""
    """This process's own client."""
    client_key: Path | None = None
    """File: the client's private JWK (private_key_jwt)."""

    keyring: Path | None = None
    """Folder of local key files; embedded only."""
    receipt_key: Path | None = None
    """File: the signer key of this source's receipts (signed notes)."""

    url_intake: str = ""
    url_protection: str = ""
    url_referral: str = ""
    url_timeline: str = ""
    url_vault: str = ""
    """Base URL of each service."""
    public_urls: str = ""
    """All base URLs at which this service is reached, comma separated, as its clients write them; default
    AMPARO_URL_<service>. A proof of possession for any other address is refused.
    """

    pack: str = ""
    """Rule pack of new cases; default ``drill`` embedded, ``peru-2021`` else. ``drill:3`` has limits three times as
    long.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    """Where to listen."""

    proxies: str = ""
    """Addresses or networks of the reverse proxies whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed,
    comma separated. Without it all callers behind a proxy have its address.
    """
    rate_client: str = ""
    """How much one client may ask of this process; default ``6000 per minute``, embedded ten times as much."""
    rate_urgent: str = ""
    """How much one client may file, counted apart; default ``1200 per minute``, embedded fifty times as much."""
    rate_stranger: str = "300 per minute"
    """How many calls without a valid token one address has, before it is refused unread."""

    otlp_endpoint: str = Field(default="", validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    """Telemetry is on when set."""

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        embedded = given.get("environment") == "embedded"
        mechanism = given.get("mechanism") or "pe"
        derived = {
            "temporal_namespace": "default" if embedded else "amparo",
            "audience": f"amparo:{mechanism}",
            "pack": "drill" if embedded else "peru-2021",
            # One client plays everybody in a drill, and files as fast as it can in a benchmark.
            "rate_client": "60000 per minute" if embedded else "6000 per minute",
            "rate_urgent": "60000 per minute" if embedded else "1200 per minute",
        }
        return {**given, **{name: value for name, value in derived.items() if not given.get(name)}}

    @model_validator(mode="after")
    def _local_keys_stay_local(self) -> Self:
        if self.environment != "embedded" and self.keyring is not None:
            raise ValueError(
                "AMPARO_KEYRING is for AMPARO_ENVIRONMENT=embedded only: production keeps keys in its key service"
            )
        return self

    @field_validator("rate_client", "rate_urgent", "rate_stranger")
    @classmethod
    def _is_a_rate(cls, text: str) -> str:
        parse(text)
        return text

    @model_validator(mode="after")
    def _secrets_are_nobodys_guess(self) -> Self:
        if self.environment == "embedded":
            return self
        for name in ("database", "sequencer_database", "owner_database", "vault_database"):
            if fault := weak_password(getattr(self, name)):
                # The text must not quote the URL: it is printed.
                raise ValueError(f"AMPARO_{name.upper()}: {fault}")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        if not SECRETS.is_dir():
            return init_settings, env_settings
        return init_settings, env_settings, SecretsSettingsSource(settings_cls, secrets_dir=SECRETS)

    def source(self, service: str) -> str:
        """The source of a service of this mechanism, such as ``pe.intake``."""
        return f"{self.mechanism}.{service}"

    def topic(self, service: str) -> str:
        """The topic that carries a service's source, such as ``amparo.pe.intake``."""
        return f"amparo.{self.source(service)}"

    def url(self, service: ServiceName) -> str:
        """Base URL of a service, without a slash at its end. Raises `SettingMissing`."""
        return str(self.need(f"url_{service}")).rstrip("/")

    def reached_at(self, service: str) -> tuple[str, ...]:
        """The base URLs at which this service is reached. Raises `SettingMissing` where none is known."""
        given = [url.strip() for url in self.public_urls.split(",") if url.strip()]
        if not given and (known := getattr(self, f"url_{service}", "")):
            given = [known]
        if not given:
            raise SettingMissing("AMPARO_PUBLIC_URLS is not set: without it no proof of possession can be checked")
        return tuple(given)

    def need(self, field: str) -> Any:
        """The value of a field. Raises `SettingMissing` where it is not set."""
        value = getattr(self, field)
        if value in (None, ""):
            variable = type(self).model_fields[field].validation_alias or f"AMPARO_{field.upper()}"
            raise SettingMissing(f"{variable} is not set, and this process needs it")
        return value
