"""schemathesis finds nothing at the timeline."""

from pathlib import Path

from runtime.settings import Settings
from services.timeline.app import create_service
from tests.services.fuzzing import AMOUNTS, UNLIMITED, fuzz, listening
from tests.services.people import Issuer
from tests.stack import Databases

PEERS = {"ngo-one": ("filer", "ngo-one"), "ngo-two": ("filer", "ngo-two")}


@AMOUNTS
def test_schemathesis_finds_nothing(
    timeline_databases: Databases, transport_key: Path, tmp_path: Path, examples: int, phases: str
) -> None:
    """Every operation but the stream, which does not end; all checks, objects of two peers among them."""
    issuer = Issuer()
    settings = Settings(
        environment="embedded",
        mechanism=timeline_databases.mechanism,
        database=timeline_databases.url("timeline"),
        kafka="127.0.0.1:1",
        transport_key=transport_key,
        public_urls="http://timeline.test",
        **UNLIMITED,
    )
    service = create_service(settings, verifier=issuer.verifier)
    with listening(service, issuer, PEERS) as url:
        fuzz(url, tmp_path, peers=PEERS, examples=examples, phases=phases, without="/v1/stream")
