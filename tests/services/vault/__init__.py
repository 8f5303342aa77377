"""The vault as a source."""
