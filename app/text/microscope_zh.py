"""The lab's tab `microscope`, in Chinese."""

MICROSCOPE_ZH: dict[str, str] = {}
