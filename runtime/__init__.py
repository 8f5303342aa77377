"""Owns what a process of Amparo is made of: settings, clock, logs, telemetry, database, and
`runtime.service.Service`, which joins them.

Nothing is imported here: each program pays only for the parts that it uses.
"""
