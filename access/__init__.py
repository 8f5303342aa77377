"""Owns who may do what, and what they are told when they may not: bearer tokens and their issuer, roles and actions,
idempotency keys, problem documents, the hardening of HTTP, and the vault of the keys that personal data is sealed
under.

Nothing is imported here: a token client or the issuer needs neither the web framework nor the database drivers.
"""
