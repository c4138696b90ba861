"""The lab's tab `words`, in English."""

WORDS_EN: dict[str, str] = {}
