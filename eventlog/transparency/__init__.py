"""Owns the formats of the transparency ecosystem (C2SP) in which receipts are signed and checked."""
