"""Records the example that the page opens on, with the offline model: `python -m app.gallery.record_first_page`."""

from __future__ import annotations

from decoding.models.load import load_model
from decoding.parameters.settings import Settings
from decoding.record import record

from .first_page import EXAMPLE

__all__ = ["main"]

PROMPT = "The best thing about learning a new language is"


def main() -> None:
    """Records the example; its logits are lossless, so it is kept short."""
    settings = Settings(
        do_sample=True, temperature=0.9, top_k=40, top_p=0.9, repetition_penalty=1.1, seed=7, max_new_tokens=9
    )
    trace = record(load_model(device="cpu"), PROMPT, settings)
    trace.save(EXAMPLE)
    print(f"{EXAMPLE.name}: {trace.text()!r}, {EXAMPLE.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
