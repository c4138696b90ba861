"""The recorded example that the page opens on, and the script that records it: `python -m app.gallery.first_page`."""

from __future__ import annotations

from decoding.files.trace_file import load_trace
from decoding.recorded.run import Trace

from ..assets import assets_dir

__all__ = ["example_trace"]

EXAMPLE = "first-page.trace"
PROMPT = "The best thing about learning a new language is"


def example_trace() -> Trace:
    """The example's trace."""
    return load_trace(assets_dir() / "examples" / EXAMPLE)


def record_example() -> None:
    """Records the example with the offline model; its logits are lossless, so it is kept short."""
    from decoding.models.load import load_model
    from decoding.parameters.settings import Settings
    from decoding.record import record

    settings = Settings(
        do_sample=True, temperature=0.9, top_k=40, top_p=0.9, repetition_penalty=1.1, seed=7, max_new_tokens=9
    )
    trace = record(load_model(device="cpu"), PROMPT, settings)
    path = assets_dir() / "examples" / EXAMPLE
    trace.save(path)
    print(f"{path.name}: {trace.text()!r}, {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    record_example()
