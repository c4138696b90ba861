"""What if, in Chinese."""

WHATIF_ZH: dict[str, str] = {}
