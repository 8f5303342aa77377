"""Tests on the real components; `tests.conftest` says how they are shared."""
