"""Owns how Amparo is set up in production: the images, the settings of every server, and the jobs that make secrets,
databases and topics. `docker-compose.yml` joins them; nothing here runs in the embedded stack.
"""
