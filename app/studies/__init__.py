"""A study's page: its figures, claims and verdicts in one HTML file that works without a network."""
