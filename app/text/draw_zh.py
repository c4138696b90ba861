"""The lab's tab `draw`, in Chinese."""

DRAW_ZH: dict[str, str] = {}
