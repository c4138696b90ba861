"""The lab's tab `compare`, in English."""

COMPARE_EN: dict[str, str] = {}
