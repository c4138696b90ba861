"""What cannot be read of a permalink, in English."""

from __future__ import annotations

LINK_EN: dict[str, str] = {
    "link.cut": "The link was cut short or damaged. What could be read of it is here; "
    "ask for the whole link to get the rest.",
    "link.unreadable": "Nothing in the link could be read. Was it copied whole?",
    "link.too_large": "The link holds more than {limit} bytes; the rest of it was left out.",
    "link.newer": "The link is from a newer version of this program (format {version}, known here: {known}). "
    "What is known here was read.",
    "link.unknown_field": "The link has a part {name} that this version does not know; it was left out.",
    "link.field": "{name} cannot be {value}; it was left out.",
    "link.unknown_knob": "There is no setting {name} here; it was left out.",
    "link.knob": "{name} must be {accepts}, not {value}; it was left out.",
    "link.long_prompt": "The prompt has {n} characters and at most {limit} are taken; the end was left out.",
    "link.characters": "Half characters, which no text can hold, were replaced by \ufffd.",
    "link.more": "… and {n} more parts that could not be read.",
}
