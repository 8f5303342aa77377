"""Owns the pages of `docs/reference/`: each says what the code says, and a test compares. Nothing is started."""
