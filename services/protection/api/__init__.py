"""Owns protection's HTTP interface: a file per resource, and the forms that their bodies and answers share."""
