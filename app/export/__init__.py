"""What leaves the page: permalinks, code, JSON, CSV. Everything here works without the page and without a model."""
