"""Owns the HTTP interface of referrals: a file per resource, and the forms that their bodies and answers share."""
