"""Checks against engines that cannot be installed beside transformers 5: run by hand, their tables are committed."""
