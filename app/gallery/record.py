"""Records the gallery with the offline model: `python -m app.gallery.record`, or `make gallery`.

Every run is recorded, made compact, saved, opened again and asked for what it is there to show; where one does not
show it, the script says so and fails. A file whose run came out the same, but for the seconds it took, stays as it is.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from decoding.errors import TraceFileError
from decoding.files.compact import compact
from decoding.models.load import LanguageModel, load_model
from decoding.record import record
from decoding.trace import Trace, load_trace

from ..text import Text
from .claims import NotShownError, claims_of
from .items import FACTS, GALLERY, GalleryItem, gallery_title, gallery_trace

__all__ = ["LARGEST", "main", "record_item"]

LARGEST = 400_000  # bytes of a file


def record_item(item: GalleryItem, lm: LanguageModel) -> Trace:
    """The run of an item, recorded anew, in the compact form."""
    prompt = [{"role": "user", "content": item.prompt}] if item.chat else item.prompt
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # a run that draws nothing keeps the random state, too: always the same one
        return compact(record(lm, prompt, item.settings), head=item.head)


def main() -> int:
    """Records and checks every item; 1 where one does not show what it should."""
    torch.set_num_threads(1)  # the last bits depend on how work is shared out
    lm, text = load_model(device="cpu"), Text("en")
    GALLERY[0].file.parent.mkdir(parents=True, exist_ok=True)
    for item in GALLERY:
        news = _save(record_item(item, lm), item.file)
        print(f"{item.file.name}: {item.file.stat().st_size / 1e3:.0f} kB, {news}", flush=True)
    facts, failures = {}, []
    for item in GALLERY:
        try:
            facts[item.id] = claims_of(item, gallery_trace(item.id), gallery_trace)
            if item.file.stat().st_size > LARGEST:
                raise NotShownError(f"the file is larger than {LARGEST} bytes; keep a smaller head")
        except NotShownError as error:
            failures.append(f"{item.id}: {error}")
    if failures:
        print("\nFAILED\n" + "\n".join(failures), file=sys.stderr)
        return 1
    words = json.dumps(facts, ensure_ascii=False, indent=1)
    (GALLERY[0].file.parent / FACTS).write_text(words + "\n", encoding="utf-8")
    for item in GALLERY:
        print(f"\n{gallery_title(item, text)}")
        for which in ("first", "second"):
            print(f"  {text(f'gallery.{item.id}.{which}', **facts[item.id])}")
    return 0


def _save(trace: Trace, path: Path) -> str:
    """Saves the trace unless the file holds the same run; says which."""
    if path.exists():
        try:
            before = load_trace(path)
        except TraceFileError:  # of an older version, or cut short
            before = None
        if before is not None and _bytes_of(replace(trace, seconds=before.seconds)) == path.read_bytes():
            return "unchanged"
    trace.save(path)
    return "recorded"


def _bytes_of(trace: Trace) -> bytes:
    with TemporaryDirectory() as folder:
        trace.save(Path(folder) / "run.trace")
        return (Path(folder) / "run.trace").read_bytes()


if __name__ == "__main__":
    sys.exit(main())
