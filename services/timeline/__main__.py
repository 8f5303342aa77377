"""``python -m services.timeline`` serves, ``… migrate`` migrates, ``… rebuild`` makes the projections anew."""
