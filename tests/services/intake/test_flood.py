"""A flood of other calls at the registry keeps no filing out."""

from runtime.settings import Settings
from services.intake.app import URGENT, create_service
from tests.services.intake.conftest import Registry
from tests.services.intake.invented import filing, post, problem
from tests.services.people import door

FEW = "3 per minute"


async def test_who_used_up_every_other_call_still_files(registry: Registry, registry_settings: Settings) -> None:
    """By the registry's own settings and routes."""
    few = registry_settings.model_copy(update={"rate_client": FEW, "rate_stranger": FEW})
    service = create_service(few, verifier=registry.issuer.verifier, fetch=registry.referrals.fetch)
    async with door(service, registry.issuer) as opened:
        client = opened.enter(role="filer", unit="ngo-flood")
        assert [(await client.get("/v1/requests")).status_code for _ in range(5)] == [200] * 3 + [429] * 2
        refused = await client.get("/v1/requests")
        assert problem(refused) == (429, "too-many-requests")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await post(client, "/v1/requests", filing(imminent=True))).status_code == 201
    await service.parts.close()


def test_every_way_to_file_is_urgent(registry: Registry) -> None:
    """A route by which somebody in danger reaches the registry first is one that others cannot keep shut."""
    filing_routes = {
        (method.upper(), path)
        for path, operations in registry.service.app().openapi()["paths"].items()
        for method in operations
        if path == "/v1/requests" and method == "post"
    }
    assert filing_routes == set(URGENT)
    assert registry.service.app().state.crowds.urgent == URGENT
