"""What if, in English."""

WHATIF_EN: dict[str, str] = {}
