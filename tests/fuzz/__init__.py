"""Junk at every door of a public server: `python -m tests.fuzz` says whether any of it did harm."""
