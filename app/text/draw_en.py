"""The lab's tab `draw`, in English."""

DRAW_EN: dict[str, str] = {}
