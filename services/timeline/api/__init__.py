"""The timeline's routes, one file per resource."""
