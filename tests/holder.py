"""Somebody who holds a token and the key that it is bound to, as an HTTP client's ``auth``."""

from collections.abc import Callable, Generator

import httpx

from access.dpop import Prover
from runtime.clock import Clock, system_clock


class Holder(httpx.Auth):
    """Sends one token, each time with a proof, and again with the nonce that the service wants."""

    def __init__(
        self, sign: Callable[[str], str], *, clock: Clock = system_clock, prover: Prover | None = None
    ) -> None:
        """``sign`` gives the token for the thumbprint of the holder's key."""
        self.prover = prover or Prover(clock=clock)
        self.token = sign(self.prover.jkt)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Adds both headers."""
        for _ in range(2):
            request.headers.update(self.prover.headers(method=request.method, url=str(request.url), token=self.token))
            answer = yield request
            self.prover.learn(str(request.url), answer.headers)
            if "use_dpop_nonce" not in answer.headers.get("WWW-Authenticate", ""):
                return
