"""The lab's tab `words`, in Chinese."""

WORDS_ZH: dict[str, str] = {}
