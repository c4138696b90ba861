"""The entry that Hugging Face Spaces runs: `python app/space.py`.

On a CPU Space the model decodes there, on a GPU Space on its GPU; on ZeroGPU a GPU is borrowed for each run, see
`app.serving.zero_gpu`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

MODEL = "smollm2-135m"


def main() -> None:
    """Serves the page to everyone, with one model and bounded runs."""
    from app.serving.freed import imports_that_stay

    with imports_that_stay():
        from app.cli.threads import use_threads
        from app.page.layout import launch
        from app.serving.stored_runs import stored_runs
        from decoding.errors import DecodingError

        use_threads(None)
    port = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))
    host = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")  # Spaces sets it to all interfaces
    try:
        launch(host=host, port=port, model=MODEL, allowed_models=frozenset({MODEL}), stored=stored_runs(None, "on"))
    except DecodingError as error:  # a variable of the environment cannot be used
        sys.exit(f"decoding-explorer: {error}")


if __name__ == "__main__":
    # Run as a file, Python looks for modules beside it, not in the repository.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    main()
