"""The embedded stack, tried for real."""
