"""Settings from and to other engines, in English."""

PRESETS_EN: dict[str, str] = {
    "presets.title": "Paste settings of another engine",
    "presets.hint": "A request to llama.cpp's server or vLLM, SamplingParams(…), Ollama's options or Modelfile, a "
    "preset of text-generation-webui. Nothing is sent there.",
    "presets.text": "Request or preset",
    "presets.engine": "Engine",
    "presets.any": "as its keys say",
    "presets.defaults": "with the engine's own defaults",
    "presets.defaults.tip": "what the engine would do where nothing is given becomes a setting, too; without them, "
    "the model's and transformers' own defaults hold there, such as top_k=50",
    "presets.read": "Read",
    "presets.use": "Use these settings",
    "presets.use.tip": "they take the place of all settings above; a length that is set there stays where these have "
    "none",
    "presets.used": "Used ✓",
    "presets.as": "Read as {engine}",
    "presets.unsure": "Read as {engine}; its keys would suit others, too: if it is another's, choose it.",
    "presets.settings": "Settings here",
    "presets.filled": "The engine's own defaults among them: {names}. A server that was started with others, or a "
    "model that brings its own along, has those there.",
    "presets.none": "None: it gives nothing that is a setting here.",
    "presets.exact": "All of it has the same meaning here.",
    "presets.kind.wrong": "Cannot be used",
    "presets.kind.unknown": "Unknown keys",
    "presets.kind.missing": "Without counterpart",
    "presets.kind.idle": "Without effect there",
    "presets.kind.differs": "Means something else",
    "presets.kind.aside": "No settings",
    "code.engines": "These settings for another engine",
    "code.engines.reading": "What acted on this run, as the engine is told it: its own defaults are switched off where "
    "nothing did so here.",
    "code.engines.all": "All of it can be said there, and means the same.",
    "code.engine.llama.cpp": "llama.cpp server: body of POST /completion",
    "code.engine.vllm": "vLLM: body of POST /v1/completions",
    "code.engine.ollama": "Ollama: body of POST /api/generate",
    "code.engine.text-generation-webui": "text-generation-webui: a preset (.yaml)",
}
