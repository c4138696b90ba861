"""Runs on disk: the lossless form and the compact one."""
