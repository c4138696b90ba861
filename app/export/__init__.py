"""What leaves the page: permalinks, code, JSON, CSV, a page of its own; made from a trace, without a model."""
