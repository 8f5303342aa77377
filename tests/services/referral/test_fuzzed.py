"""schemathesis finds nothing at referral."""

from pathlib import Path

from runtime.settings import Settings
from services.referral.app import create_service
from tests.services.fuzzing import AMOUNTS, UNLIMITED, fuzz, listening
from tests.services.people import Issuer

PEERS = {"police": ("police_unit", "pnp-ucayali"), "prosecutor": ("prosecutor", "mp-fema-ucayali")}


@AMOUNTS
def test_schemathesis_finds_nothing(room_settings: Settings, tmp_path: Path, examples: int, phases: str) -> None:
    """Every operation, all checks, objects of two peers among them."""
    issuer = Issuer()
    service = create_service(room_settings.model_copy(update=UNLIMITED), verifier=issuer.verifier)
    with listening(service, issuer, PEERS) as url:
        fuzz(url, tmp_path, peers=PEERS, examples=examples, phases=phases)
