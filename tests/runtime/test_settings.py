"""Settings come from the environment or from secret files, and never show what they hold."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from runtime import settings as module
from runtime.settings import SettingMissing, Settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets."""
    import os

    for name in tuple(os.environ):
        if name.startswith(("AMPARO_", "OTEL_")):
            monkeypatch.delenv(name)


def test_what_follows_from_other_settings() -> None:
    """Embedded and production differ where the table says so."""
    embedded, production = Settings(environment="embedded"), Settings(environment="production", mechanism="co")
    assert (embedded.temporal_namespace, embedded.pack, embedded.audience) == ("default", "drill", "amparo:pe")
    assert (production.temporal_namespace, production.pack, production.audience) == ("amparo", "peru-2021", "amparo:co")
    assert (production.source("intake"), production.topic("intake")) == ("co.intake", "amparo.co.intake")


def test_a_variable_is_read_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the prefix; telemetry's has the name that OpenTelemetry gave it."""
    monkeypatch.setenv("AMPARO_URL_INTAKE", "http://127.0.0.1:1/")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:2")
    found = Settings()
    assert (found.url("intake"), found.otlp_endpoint) == ("http://127.0.0.1:1", "http://127.0.0.1:2")


def test_a_secret_file_stands_for_a_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As compose files give secrets; a variable wins over it."""
    (tmp_path / "amparo_database").write_text("postgresql+psycopg://from/file\n")
    (tmp_path / "amparo_kafka").write_text("from-file:9092")
    monkeypatch.setattr(module, "SECRETS", tmp_path)
    monkeypatch.setenv("AMPARO_KAFKA", "from-variable:9092")
    found = Settings()
    assert (found.database, found.kafka) == ("postgresql+psycopg://from/file", "from-variable:9092")


def test_a_missing_setting_is_named() -> None:
    """By its variable, so that the operator knows what to set."""
    with pytest.raises(SettingMissing, match="AMPARO_VAULT_DATABASE is not set"):
        Settings().need("vault_database")


def test_no_password_shows() -> None:
    """In whatever prints the settings."""
    url = "postgresql+psycopg://app:x7Qh2vN0pLr84sTz@127.0.0.1/pe_intake"
    found = Settings(database=url, sequencer_database=url, owner_database=url, vault_database=url)
    assert "x7Qh2vN0pLr84sTz" not in repr(found)
    assert "x7Qh2vN0pLr84sTz" not in str(found)


def test_production_refuses_a_local_keyring(tmp_path: Path) -> None:
    """Keys in files are for one machine; a stolen backup would open every case."""
    with pytest.raises(ValueError, match="AMPARO_KEYRING"):
        Settings(environment="production", keyring=tmp_path)


@pytest.mark.parametrize(
    "password",
    [
        "postgres",
        "amparo",
        "pe_intake_app",
        "Amparo-Postgres",
        "changeme-changeme",
        "aaaaaaaaaaaaaaaa",
        "short-1234",
        "",
    ],
)
@pytest.mark.parametrize("name", ["database", "sequencer_database", "owner_database", "vault_database"])
def test_a_default_password_is_refused_outside_the_embedded_stack(name: str, password: str) -> None:
    """The refusal names the variable and never the password."""
    url = f"postgresql+psycopg://pe_intake_app:{password}@db/pe_intake"
    with pytest.raises(ValidationError) as refused:
        Settings(environment="production", **{name: url})
    (error,) = refused.value.errors()
    assert f"AMPARO_{name.upper()}" in error["msg"]
    assert not password or password not in error["msg"]
    assert Settings(environment="embedded", **{name: url})


@pytest.mark.parametrize("password", ["x7Qh2vN0pLr84sTz", "correct%20horse%20battery%20staple", None])
def test_a_password_of_ones_own_is_taken(password: str | None) -> None:
    """And a URL without one: then a certificate shows who connects."""
    given = "" if password is None else f":{password}"
    url = f"postgresql+psycopg://pe_intake_app{given}@db/pe_intake"
    assert Settings(environment="production", database=url).database == url


@pytest.mark.parametrize("text", ["much", "0.5 per minute", "12"])
def test_a_rate_that_means_nothing_is_refused(text: str) -> None:
    """A process does not start with a door that somebody mistyped open."""
    with pytest.raises(ValidationError):
        Settings(rate_client=text)
