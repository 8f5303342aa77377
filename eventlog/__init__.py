"""Owns the append-only event store: sealing and encoding, appending, the gapless order of each source, its way into
Kafka and out of it.

Nothing is imported here, so that a pure module (`eventlog.decider`) can be had without the database drivers.
"""
