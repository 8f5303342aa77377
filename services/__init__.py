"""Owns the services of the mechanism, one package each: none imports another; they meet through events and activity
contracts.
"""
