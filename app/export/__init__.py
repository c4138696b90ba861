"""What leaves the page: permalinks, code, JSON, CSV, a page of its own. All of it is made from a trace, without a model."""
