"""The embedded stack: PostgreSQL, Kafka, Temporal and Amparo's processes on one machine, without containers.

Owns which programs run, with which settings, in which order they start and stop, and where their data lies
(``AMPARO_HOME``). It holds no rule of the mechanism: everything here is replaced in production by real clusters,
given by their URLs.
"""
