"""Owns the texts that are read to a person before it consents, one file per version: they say who else will learn of
the case by law. A consent that names another version rests on a text that nobody can show.
"""

from pathlib import Path

VERSIONS: frozenset[str] = frozenset(file.stem for file in Path(__file__).parent.glob("*.md"))
"""The versions that exist."""
