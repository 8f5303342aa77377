"""What every keyring does, wherever its keys live: a test class inherits it and gives the fixture ``keyring``."""

import pytest

from access.keyring import CannotUnwrap, Keyring, Wrapped

SECRETS = [bytes([n]) * 32 for n in range(3)]


class KeyringContract:
    """Inherit and define the fixture ``keyring``."""

    async def test_what_was_wrapped_is_unwrapped_in_order(self, keyring: Keyring) -> None:
        """A batch answers in the order it was asked in, or subjects would get each other's keys."""
        assert list(await keyring.unwrap(await keyring.wrap(SECRETS))) == SECRETS

    async def test_a_wrapped_key_does_not_show_the_secret(self, keyring: Keyring) -> None:
        """The vault's database, backups included, holds nothing that opens by itself."""
        for secret, wrapped in zip(SECRETS, await keyring.wrap(SECRETS), strict=True):
            assert secret not in wrapped.ciphertext

    async def test_an_altered_wrapped_key_is_refused(self, keyring: Keyring) -> None:
        """A fault of the disk must not become another key."""
        (wrapped,) = await keyring.wrap(SECRETS[:1])
        altered = Wrapped(wrapped.master, wrapped.ciphertext[:-1] + bytes([wrapped.ciphertext[-1] ^ 1]))
        with pytest.raises(CannotUnwrap):
            await keyring.unwrap([altered])

    async def test_a_key_under_an_unknown_master_is_refused(self, keyring: Keyring) -> None:
        """A key of another stack is not opened by chance."""
        (wrapped,) = await keyring.wrap(SECRETS[:1])
        with pytest.raises(CannotUnwrap):
            await keyring.unwrap([Wrapped("nobody", wrapped.ciphertext)])

    async def test_nothing_in_nothing_out(self, keyring: Keyring) -> None:
        """An empty batch is no error."""
        assert list(await keyring.wrap([])) == []
        assert list(await keyring.unwrap([])) == []

    async def test_each_purpose_has_its_own_lasting_key(self, keyring: Keyring) -> None:
        """A fingerprint stored last year is still recognised, and tells nothing about another purpose's."""
        first, again, other = [await keyring.derive(purpose) for purpose in ("a", "a", "b")]
        assert len(first) == 32
        assert first == again
        assert first != other
