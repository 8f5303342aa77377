"""Owns the measurements of this system: each against a plain form of the same work, side by side in one run.

`python -m benchmarks` starts a stack of its own in a temporary folder, measures, prints a table, and keeps the figures
in ``benchmarks/results/latest.json``, from which the table of ``docs/benchmarks.md`` is made.
"""
