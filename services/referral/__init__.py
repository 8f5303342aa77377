"""Owns the agencies and the referrals: which office was asked what about which case, on whose consent, and what it
did with it in time.

Publishes the events of `amparo.referral.v1` on its source (`pe.referral`). It holds no name, address or narrative in
clear: what an addressee may read is copied as ciphertext from the registry's events and opened for that addressee
alone, each time with an access recorded.
"""
