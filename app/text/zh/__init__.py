"""The page in Chinese."""
