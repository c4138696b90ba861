"""Browser tests: the real page with the offline model."""
