"""Owns the tag by which a record that comes through Kafka shows that its source published it.

Whoever reaches the brokers can write any bytes to any topic. The tag is an HMAC-SHA-256 over the record's bytes, under
a key of the source that is derived (HKDF-SHA-256, RFC 5869) from one transport key, which every process of the
mechanism holds and no broker: docs/decisions/0007-transport-tag.md says why, and what it does not protect from.
"""

import hmac
import time
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from eventlog.tracing import Tracing

HEADER = "amparo_tag"
"""Kafka's header with the tag, in hexadecimal digits."""
KEY_BYTES = 32
PURPOSE = b"amparo/transport-tag/v1/"
TELL_EVERY_S = 60.0

_log = structlog.get_logger("eventlog.origin")


class BadTransportKey(ValueError):
    """The text is no transport key. The message holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Makes tags and checks them. Made once per process, from the transport key."""

    _transport_key: bytes = field(repr=False)
    _keys: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def load(cls, text: str) -> "Origin":
        """From 32 bytes in base64, as the key's file has them. Raises `BadTransportKey`."""
        try:
            key = b64decode(text.strip(), validate=True)
        except NotBase64:
            key = b""
        if len(key) != KEY_BYTES:
            raise BadTransportKey(f"a transport key is {KEY_BYTES} bytes in base64, and this is not")
        return cls(key)

    def tag(self, source: str, record: bytes) -> str:
        """What goes with a record that ``source`` publishes."""
        return hmac.digest(self._key(source), record, "sha256").hex()

    def vouches(self, source: str, record: bytes, headers: Mapping[str, str]) -> bool:
        """Whether the message's headers have the tag that ``source`` gives these bytes."""
        return hmac.compare_digest(headers.get(HEADER, "").encode(), self.tag(source, record).encode())

    def _key(self, source: str) -> bytes:
        found = self._keys.get(source)
        if found is None:
            derivation = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=PURPOSE + source.encode())
            found = self._keys[source] = derivation.derive(self._transport_key)
        return found


class PassedOver:
    """Tells of messages that no source published: each is measured, and of each source one line a minute is logged."""

    def __init__(self, *, reader: str, tracing: Tracing, clock: Callable[[], float] = time.monotonic) -> None:
        """``reader`` says in the log who passed over them; ``clock`` counts seconds."""
        self._reader = reader
        self._tracing = tracing
        self._clock = clock
        self._untold: dict[str, int] = {}
        self._told_at: dict[str, float] = {}

    def note(self, *, source: str, topic: str, count: int = 1) -> None:
        """``count`` messages of the topic were passed over."""
        self._tracing.passed_over(topic, count)
        self._untold[source] = self._untold.get(source, 0) + count
        now = self._clock()
        if now - self._told_at.get(source, -TELL_EVERY_S) < TELL_EVERY_S:
            return
        self._told_at[source] = now
        about = {"consumer": self._reader, "source": source, "topic": topic, "count": self._untold.pop(source)}
        _log.warning("messages that their source did not publish are passed over", **about)
