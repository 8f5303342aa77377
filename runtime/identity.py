"""Owns how a process judges who asks, from its settings: whose tokens it takes, and proofs for which addresses."""

from access.dpop import Nonces, Proofs
from access.tokens import KeySet, Verifier, jwks_over_http
from runtime.clock import Clock
from runtime.settings import Settings


def verifier(settings: Settings, clock: Clock) -> Verifier:
    """Takes tokens of AMPARO_ISSUER for AMPARO_AUDIENCE, by the keys at AMPARO_JWKS."""
    keys = KeySet(fetch=jwks_over_http(settings.jwks), clock=clock)
    return Verifier(issuer=settings.issuer, audience=settings.audience, keys=keys, clock=clock)


def proofs(settings: Settings, service: str, clock: Clock) -> Proofs:
    """Takes proofs for the addresses of this service. Raises `runtime.settings.SettingMissing` where none is known."""
    return Proofs(bases=settings.reached_at(service), clock=clock, nonces=Nonces(clock=clock))
