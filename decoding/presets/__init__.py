"""Settings from and to other engines: what is pasted is read, told apart, and written again.

    found = read(text)                     # llama.cpp, vLLM, Ollama or text-generation-webui, as the text shows
    found.settings, found.told             # what it is here; what has no counterpart, or another meaning
    write(found.settings, "vllm").text     # the other way round

Each engine is a file with the table of its keys, and where each is documented.
"""

from __future__ import annotations

from decoding.presets.engines import ENGINES
from decoding.presets.read import ReadPreset, read
from decoding.presets.told import Told
from decoding.presets.write import WrittenPreset, write

__all__ = ["ENGINES", "ReadPreset", "Told", "WrittenPreset", "read", "write"]
