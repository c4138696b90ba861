"""The lab's tab `microscope`, in English."""

MICROSCOPE_EN: dict[str, str] = {}
