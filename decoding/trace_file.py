"""Trace files: one self-contained zip of JSON and safetensors, read without trust.

    trace.json               what the trace says in words and numbers
    run.safetensors          prompt, tokens chosen, token texts
    steps/000000.safetensors the arrays of each step, stored uncompressed

Nothing is unpickled, nothing is extracted to disk, entries are read by name, and every size is bounded before
anything is read. Saving what was loaded gives the same bytes again.
"""

from __future__ import annotations

import io
import json
import os
import struct
import tempfile
import threading
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from decoding.errors import DecodingError, NotRecordedError, TraceFileError
from decoding.ledger import Ledger
from decoding.settings import Settings
from decoding.silent import SilentKnob
from decoding.stages import Stage
from decoding.step_store import arrays_from_bytes
from decoding.tokens import TokenTable
from decoding.trace import Fork, ModelInfo, Step, Trace

__all__ = ["load_trace", "save_trace"]

FORMAT, VERSION = "decoding-explorer-trace", 1
HEADER_LIMIT = 64 * 2**20  # bytes of trace.json, unpacked
RUN_LIMIT = 256 * 2**20  # bytes of run.safetensors, unpacked
IN_MEMORY_LIMIT = 256 * 2**20  # files up to this size are read at once and the file is let go
N_LIMIT = 10_000_000  # steps, rows, tokens: far beyond any real run
LOGIT_DTYPES = {"F32", "F16", "BF16", "F64"}
EPOCH = (1980, 1, 1, 0, 0, 0)  # one fixed time, so that equal traces are equal files


def save_trace(trace: Trace, path: str | os.PathLike[str]) -> None:
    """Writes a trace to `path`; a file already there is replaced only once the new one is whole.

    Raises:
        TraceFileError: it cannot be written there.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # replacing a device or a folder would destroy it
        raise TraceFileError(f"{path.name} is not an ordinary file; give the name of a new file")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
            try:
                _write(trace, file)
                file.close()
                os.replace(file.name, path)
            except BaseException:
                file.close()
                os.unlink(file.name)
                raise
    except OSError as err:
        raise TraceFileError(f"{path.name} cannot be written: {err.strerror or err}; the trace is unchanged") from err


def load_trace(path: str | os.PathLike[str]) -> Trace:
    """The trace in a file; its scores are read when asked for.

    Raises:
        TraceFileError: there is no such file, or it is no trace, damaged, hostile, or of a newer version.
    """
    try:
        archive = _open(Path(path))
        header = _header(archive)
        return _trace(archive, header)
    except DecodingError:
        raise
    except (OSError, zipfile.BadZipFile, zipfile.LargeZipFile, EOFError) as err:
        raise TraceFileError(f"{Path(path).name} is no trace file, or is damaged: {err}") from err
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, NotImplementedError, RuntimeError) as err:
        raise TraceFileError(f"{Path(path).name} is damaged: {type(err).__name__}: {err}") from err


class ZipStore:
    """The steps of a trace file, read on demand."""

    def __init__(self, archive: zipfile.ZipFile, n_steps: int, n_rows: int, vocab: int, stages: int) -> None:
        self._archive, self._shape = archive, (n_rows, vocab, stages)
        self._lock = threading.Lock()
        self._entries = {info.filename: info for info in archive.infolist()}
        self._n_steps = n_steps
        self.nbytes = 0
        for index in range(n_steps):
            info = self._entries.get(_step_name(index))
            if info is not None:
                self._check(info)
                self.nbytes += info.file_size

    def __len__(self) -> int:
        return self._n_steps

    def load(self, index: int) -> dict[str, Tensor]:
        """See `StepStore.load`."""
        info = self._entries.get(_step_name(index))
        if info is None:
            raise NotRecordedError(f"the scores of step {index} were not kept when the run was recorded")
        try:
            with self._lock:
                blob = self._archive.read(info)
        except (OSError, zipfile.BadZipFile, EOFError, RuntimeError) as err:
            raise TraceFileError(f"step {index} cannot be read: {err}; the file is damaged") from err
        return arrays_from_bytes(blob, f"step {index}")

    def _check(self, info: zipfile.ZipInfo) -> None:
        """The arrays' shapes, from their header alone: a file that lies is refused before it is used."""
        n_rows, vocab, n_stages = self._shape
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise TraceFileError(f"{info.filename} is compressed; a trace stores its steps plainly")
        with self._archive.open(info) as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(info.file_size, 2**24):
                raise TraceFileError(f"{info.filename} announces a header of {length} bytes; the file is damaged")
            arrays = json.loads(file.read(length))
        wanted = {"logits": [n_rows, vocab], "kinds": [n_stages, n_rows], "scalars": [n_stages, n_rows, 2]}
        for name, shape in wanted.items():
            if arrays[name]["shape"] != shape:
                raise TraceFileError(
                    f"{info.filename}: {name} has shape {arrays[name]['shape']}, the header says {shape}"
                )
        if arrays["logits"]["dtype"] not in LOGIT_DTYPES:
            raise TraceFileError(f"{info.filename}: logits of type {arrays['logits']['dtype']} are not known")


# --- writing ----------------------------------------------------------------------------------------------


def _write(trace: Trace, file: Any) -> None:
    with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        header = json.dumps(_as_json(trace), ensure_ascii=False, sort_keys=True, allow_nan=False)
        _put(archive, "trace.json", header.encode("utf-8", "surrogatepass"), zipfile.ZIP_DEFLATED)
        _put(archive, "run.safetensors", safetensors.torch.save(_run_arrays(trace)), zipfile.ZIP_DEFLATED)
        for step in trace.steps:
            try:
                arrays = trace.store.load(step.index)
            except NotRecordedError:
                continue
            _put(archive, _step_name(step.index), safetensors.torch.save(arrays), zipfile.ZIP_STORED)


def _put(archive: zipfile.ZipFile, name: str, blob: bytes, compression: int) -> None:
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = compression
    info.create_system = 3
    archive.writestr(info, blob)


def _as_json(trace: Trace) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "n_steps": len(trace.steps),
        "n_rows": trace.n_rows,
        "mode": trace.mode,
        "model": asdict(trace.model),
        "stages": [asdict(stage) for stage in trace.stages],
        "generation_config": trace.generation_config,
        "settings": trace.settings.to_json() if trace.settings else None,
        "silent": [asdict(knob) for knob in trace.silent],
        "warnings": trace.warnings,
        "stop_reasons": trace.stop_reasons,
        "prompts": trace.prompts,
        "messages": trace.messages,
        "seed": trace.seed,
        "seconds": trace.seconds,
        "prefill": trace.prefill,
        "fork": asdict(trace.fork) if trace.fork else None,
        "beams": {"n_beams": trace.ledger.n_beams, "reasons": trace.ledger.reasons} if trace.ledger else None,
    }


def _run_arrays(trace: Trace) -> dict[str, Tensor]:
    n = len(trace.steps)
    arrays = {
        "prompt_ids": trace.prompt_ids,
        "prompt_mask": trace.prompt_mask,
        "sequences": trace.sequences,
        "chosen": trace.generated_ids.T,
        "ended": torch.tensor([s.ended for s in trace.steps], dtype=torch.uint8).reshape(n, trace.n_rows),
    }
    for name in ("encoder_ids", "encoder_mask", "rng_state"):
        if getattr(trace, name) is not None:
            arrays[name] = getattr(trace, name)
    if trace.tokens is not None:
        arrays |= {f"tokens.{k}": torch.from_numpy(v.copy()) for k, v in trace.tokens.to_arrays().items()}
    if trace.ledger is not None:
        arrays["parents"] = torch.tensor([s.parents for s in trace.steps], dtype=torch.long).reshape(n, trace.n_rows)
        if n:
            arrays |= {f"ledger.{k}": v for k, v in trace.ledger.to_arrays().items()}
    return {name: array.contiguous().clone() for name, array in arrays.items()}  # shared memory is refused


def _step_name(index: int) -> str:
    return f"steps/{index:06d}.safetensors"


# --- reading ----------------------------------------------------------------------------------------------


def _open(path: Path) -> zipfile.ZipFile:
    if path.stat().st_size <= IN_MEMORY_LIMIT:
        return zipfile.ZipFile(io.BytesIO(path.read_bytes()))
    return zipfile.ZipFile(path.open("rb"))


def _read(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise TraceFileError(f"the file has no {name}; it is no trace, or damaged") from None
    if info.file_size > limit:
        raise TraceFileError(f"{name} unpacks to {info.file_size} bytes, more than the {limit} a trace can need")
    return archive.read(info)


def _header(archive: zipfile.ZipFile) -> dict[str, Any]:
    header = json.loads(_read(archive, "trace.json", HEADER_LIMIT).decode("utf-8", "surrogatepass"))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise TraceFileError(f"the file is no trace: trace.json does not say format {FORMAT!r}")
    version = header.get("version")
    if not isinstance(version, int) or version < 1:
        raise TraceFileError(f"the trace's version {version!r} makes no sense; the file is damaged")
    if version > VERSION:
        raise TraceFileError(
            f"the trace has format version {version}, this program reads up to {VERSION}; update Decoding Explorer"
        )
    return header


def _trace(archive: zipfile.ZipFile, header: dict[str, Any]) -> Trace:
    run = arrays_from_bytes(_read(archive, "run.safetensors", RUN_LIMIT), "run.safetensors")
    n_steps, n_rows = _count(header, "n_steps"), _count(header, "n_rows")
    model = ModelInfo(**_fields(header["model"], ModelInfo))
    stages = tuple(Stage(**_fields(stage, Stage)) for stage in header["stages"])
    _check_run(run, n_steps, n_rows)
    store = ZipStore(archive, n_steps, n_rows, model.vocab_size, len(stages))
    ledger = _ledger(header.get("beams"), run, n_steps, n_rows)
    chosen, ended = run["chosen"].tolist(), run["ended"].bool().tolist()
    parents = run["parents"].tolist() if ledger else [()] * n_steps
    steps = tuple(
        Step(
            index=t, token_ids=tuple(chosen[t]), ended=tuple(ended[t]), parents=tuple(parents[t]), stages=stages,
            _store=store, _ledger=ledger,
        )
        for t in range(n_steps)
    )  # fmt: skip
    tokens = _under("tokens.", run)
    return Trace(
        steps=steps,
        stages=stages,
        prompt_ids=run["prompt_ids"],
        prompt_mask=run["prompt_mask"],
        sequences=run["sequences"],
        mode=_text(header["mode"]),
        generation_config=_dict(header["generation_config"]),
        model=model,
        settings=Settings.from_json(header["settings"]) if header["settings"] is not None else None,
        silent=tuple(SilentKnob(**_fields(knob, SilentKnob)) for knob in header["silent"]),
        warnings=tuple(_text(w) for w in header["warnings"]),
        stop_reasons=tuple(_text(r) for r in header["stop_reasons"]),
        tokens=TokenTable.from_arrays(tokens) if tokens else None,
        prompts=None if header["prompts"] is None else tuple(_text(p) for p in header["prompts"]),
        messages=None if header["messages"] is None else tuple(header["messages"]),
        encoder_ids=run.get("encoder_ids"),
        encoder_mask=run.get("encoder_mask"),
        seed=header["seed"],
        rng_state=run.get("rng_state"),
        seconds=float(header["seconds"]),
        prefill=_text(header.get("prefill", "plain")),
        fork=Fork(**_fields(header["fork"], Fork)) if header.get("fork") else None,
        store=store,
        ledger=ledger,
    )


def _under(prefix: str, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _ledger(beams: Any, run: dict[str, Tensor], n_steps: int, n_rows: int) -> Ledger | None:
    if beams is None:
        return None
    n_beams, reasons = _count(_dict(beams), "n_beams"), [_text(r) for r in beams["reasons"]]
    if n_beams < 1 or n_rows % n_beams:
        raise TraceFileError(f"{n_rows} rows cannot be {n_beams} beams each")
    if n_steps == 0:
        return Ledger(n_prompts=n_rows // n_beams, n_beams=n_beams)
    ledger = Ledger.from_arrays(_under("ledger.", run), n_beams, reasons)
    if len(ledger) != n_steps or ledger.n_prompts * n_beams != n_rows or run["parents"].shape != run["chosen"].shape:
        raise TraceFileError(f"the ledger has {len(ledger)} steps of {ledger.n_prompts} prompts; the header differs")
    return ledger


def _check_run(run: dict[str, Tensor], n_steps: int, n_rows: int) -> None:
    for name, rows in (("prompt_ids", n_rows), ("prompt_mask", n_rows), ("chosen", n_steps), ("ended", n_steps)):
        if run[name].ndim != 2 or run[name].shape[0] != rows:
            raise TraceFileError(f"{name} has shape {tuple(run[name].shape)}, the header says {rows} rows")
    if run["prompt_ids"].shape != run["prompt_mask"].shape or run["chosen"].shape != run["ended"].shape:
        raise TraceFileError("prompt_ids and prompt_mask, or chosen and ended, differ in shape")
    if n_steps and run["chosen"].shape[1] != n_rows:
        raise TraceFileError(f"chosen has {run['chosen'].shape[1]} columns, the header says {n_rows} rows")
    for name in ("prompt_ids", "sequences", "chosen"):
        ids = run[name]
        if ids.dtype != torch.int64 or (ids.numel() and (int(ids.min()) < -1 or int(ids.max()) >= 2**31)):
            raise TraceFileError(f"{name} holds what cannot be token ids")


def _count(header: dict[str, Any], name: str) -> int:
    value = header[name]
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= N_LIMIT:
        raise TraceFileError(f"{name} must be a whole number in [0, {N_LIMIT}], got {value!r}")
    return value


def _fields(values: Any, kind: type) -> dict[str, Any]:
    """The known fields; what a later minor version added is left out, what is missing raises in `kind`."""
    return {name: value for name, value in _dict(values).items() if name in kind.__dataclass_fields__}


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TraceFileError(f"an object was expected in trace.json, got {type(value).__name__}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TraceFileError(f"a text was expected in trace.json, got {type(value).__name__}")
    return value
