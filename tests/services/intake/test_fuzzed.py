"""schemathesis finds nothing at the registry."""

from pathlib import Path

from runtime.settings import Settings
from services.intake.app import create_service
from tests.services.fuzzing import AMOUNTS, UNLIMITED, fuzz, listening
from tests.services.intake.conftest import Registry
from tests.services.people import Issuer

PEERS = {"ngo-one": ("filer", "ngo-one"), "ngo-two": ("filer", "ngo-two")}


@AMOUNTS
def test_schemathesis_finds_nothing(
    registry: Registry, registry_settings: Settings, tmp_path: Path, examples: int, phases: str
) -> None:
    """Every operation, all checks, objects of two peers among them."""
    issuer = Issuer()
    service = create_service(
        registry_settings.model_copy(update=UNLIMITED), verifier=issuer.verifier, fetch=registry.referrals.fetch
    )
    with listening(service, issuer, PEERS) as url:
        fuzz(url, tmp_path, peers=PEERS, examples=examples, phases=phases)
