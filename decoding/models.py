"""Which model, where from, on which device."""

from dataclasses import dataclass
from typing import Any
@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    model: Any
    tokenizer: Any
    name: str
    source: str
    revision: str | None
    device: str
    dtype: str
