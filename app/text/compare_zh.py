"""The lab's tab `compare`, in Chinese."""

COMPARE_ZH: dict[str, str] = {}
