"""Trace files: one self-contained zip of JSON and safetensors, read without trust.

    trace.json               what the trace says in words and numbers
    run.safetensors          prompt, tokens chosen, token texts
    steps/000000.safetensors the arrays of each step, stored uncompressed; in a compact trace (version 2) as
                             heads and tails, compressed

Nothing is unpickled, nothing is extracted to disk, entries are read by name, every size is bounded before
anything is read, and what the file says is checked before it is believed. Saving what was loaded gives the same
bytes again.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from types import UnionType
from typing import Any, cast, get_args, get_origin, get_type_hints

import safetensors.torch
import torch
from torch import Tensor

from decoding.errors import DecodingError, NotRecordedError, TraceFileError, shown
from decoding.files.bounded_zip import open_zip, read_entry
from decoding.files.compact_store import FILLED_LIMIT, CompactStore
from decoding.files.head_and_tail import check_packed
from decoding.parameters.knobs import ALSO_KEPT, KNOBS, MODES, SEED_LIMIT
from decoding.parameters.settings import Settings
from decoding.recorded.ledger import Ledger
from decoding.recorded.run import FORWARDS, PREFILLS, Compact, Fork, ModelInfo, RecordedRun, Step
from decoding.recorded.silent import REASONS, SilentKnob
from decoding.recorded.stages import Stage
from decoding.recorded.step_number import step_number
from decoding.recorded.step_store import FilledUpSteps, StepStore, arrays_from_bytes
from decoding.tokens.token_table import TokenTable

__all__ = ["read_run", "save_run"]

FORMAT, LOSSLESS, COMPACT = "decoding-explorer-trace", 1, 2  # format versions
VERSION = COMPACT  # the newest that can be read
HEADER_LIMIT = 16 * 2**20  # bytes of trace.json, unpacked; what JSON makes of it may take twenty times that
RUN_LIMIT = 128 * 2**20  # bytes of run.safetensors, unpacked
N_LIMIT = 1_000_000  # steps or rows: far beyond any real run
CHOICES_LIMIT = 4_000_000  # steps × rows
VOCAB_LIMIT = 10_000_000
STEP_LIMIT = 64 * 2**20  # bytes of one step of a compact trace, unpacked
LOGIT_DTYPES = {"F32", "F16", "BF16", "F64"}
EPOCH = (1980, 1, 1, 0, 0, 0)  # one fixed time, so that equal traces are equal files


def save_run(trace: RecordedRun, path: str | os.PathLike[str]) -> None:
    """Writes a trace to `path`; a file already there is replaced only once the new one is whole.

    Raises:
        TraceFileError: it cannot be written there.
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # replacing a device or a folder would destroy it
        raise TraceFileError("{name} is not an ordinary file; give the name of a new file", name=path.name)
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
        raise TraceFileError(
            "{name} cannot be written: {strerror}; the trace is unchanged",
            name=path.name, strerror=err.strerror or err,
        ) from err


def read_run(path: str | os.PathLike[str]) -> RecordedRun:
    """The run in a trace file; its scores are read when asked for.

    Raises:
        TraceFileError: there is no such file, or it is no trace, damaged, hostile, or of a newer version.
    """
    path = Path(path)
    try:
        archive = open_zip(path)
        run = _run(archive, _header(archive))
        for name in ("prompts", "messages"):
            given = getattr(run, name)
            if given is not None and len(given) != run.n_prompts:
                raise TraceFileError(
                    "{name} are {n_given}, the rows are of {n_prompts}; the file is damaged",
                    name=name, n_given=len(given), n_prompts=run.n_prompts,
                )
        return run
    except TraceFileError:
        raise
    except MemoryError as err:
        raise TraceFileError("{name} needs more memory than there is", name=path.name) from err
    except Exception as err:  # whatever it is that reading a stranger's file raises, the file is the reason
        raise TraceFileError("{name} is no trace file, or is damaged: {err}", name=path.name, err=_why(err)) from err


def _why(err: Exception) -> str:
    """The error in a few words, without the path that the system's errors name."""
    if isinstance(err, OSError):
        return err.strerror or type(err).__name__
    if isinstance(err, DecodingError) and len(err.words) <= 300:
        return err.words
    text = str(err) if isinstance(err, (DecodingError, zipfile.BadZipFile)) else f"{type(err).__name__}: {err}"
    return text if len(text) <= 300 else text[:300] + "…"


class ZipStore:
    """The steps of a trace file, read on demand; those of a compact trace as heads and tails."""

    def __init__(
        self, archive: zipfile.ZipFile, n_steps: int, n_rows: int, vocab: int, stages: int, compact: bool = False,
        first_step: int = 0,
    ) -> None:  # fmt: skip
        self._archive, self._shape, self._compact = archive, (n_rows, vocab, stages), compact
        self._first_step = first_step
        self._lock = threading.Lock()
        self._entries = {info.filename: info for info in archive.infolist()}
        self._n_steps = n_steps
        self.nbytes = 0
        for index in range(n_steps):
            info = self._entries.get(_step_name(index))
            if info is not None:
                self._check(info)
                self.nbytes += info.file_size

    @property
    def exact(self) -> bool:
        """See `StepStore`."""
        return not self._compact

    def __len__(self) -> int:
        return self._n_steps

    def load(self, index: int) -> dict[str, Tensor]:
        """See `StepStore.load`."""
        info, number = self._entries.get(_step_name(index)), step_number(index, self._first_step)
        if info is None:
            raise NotRecordedError("the scores of step {step} were not kept when the run was recorded", step=number)
        try:
            with self._lock:
                blob = read_entry(self._archive, info.filename, info.file_size)
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as err:
            raise TraceFileError(
                "step {step} cannot be read: {err}; the file is damaged",
                step=number, err=_why(err),
            ) from err
        arrays = arrays_from_bytes(blob, f"step {number}")
        if self._compact:
            try:
                check_packed(arrays, *self._shape)
            except TraceFileError as err:
                raise TraceFileError("step {step}: {err}", step=number, err=err) from err
        return arrays

    def _check(self, info: zipfile.ZipInfo) -> None:
        """The arrays' shapes, from their header alone: a file that lies is refused before it is used."""
        n_rows, vocab, n_stages = self._shape
        if self._compact:
            if info.file_size > STEP_LIMIT:
                raise TraceFileError(
                    "{filename} unpacks to {file_size} bytes, more than a step can need",
                    filename=info.filename, file_size=info.file_size,
                )
            return
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise TraceFileError("{filename} is compressed; a trace stores its steps plainly", filename=info.filename)
        with self._archive.open(info) as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(info.file_size, 2**24):
                raise TraceFileError(
                    "{filename} announces a header of {length} bytes; the file is damaged",
                    filename=info.filename, length=length,
                )
            arrays = json.loads(file.read(length))
        wanted = {
            "logits": ([n_rows, vocab], LOGIT_DTYPES),
            "kinds": ([n_stages, n_rows], {"U8"}),
            "scalars": ([n_stages, n_rows, 2], {"F64"}),
        }
        for name, (shape, dtypes) in wanted.items():
            if arrays[name]["shape"] != shape or arrays[name]["dtype"] not in dtypes:
                raise TraceFileError(
                    "{filename}: {name} is {arrays}, the header says {shape} of {dtypes}",
                    filename=info.filename, name=name, arrays=shown(arrays[name]), shape=shape, dtypes=sorted(dtypes),
                )


# --- writing ----------------------------------------------------------------------------------------------


def _write(trace: RecordedRun, file: Any) -> None:
    with zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        header = json.dumps(_as_json(trace), ensure_ascii=False, sort_keys=True)  # with a bias of -Infinity, too
        _put(archive, "trace.json", header.encode("utf-8", "surrogatepass"), zipfile.ZIP_DEFLATED)
        _put(archive, "run.safetensors", safetensors.torch.save(_run_arrays(trace)), zipfile.ZIP_DEFLATED)
        steps = trace.store if trace.compact is None else cast(FilledUpSteps, trace.store).packed
        compression = zipfile.ZIP_STORED if trace.compact is None else zipfile.ZIP_DEFLATED
        for step in trace.steps:
            try:
                arrays = steps.load(step.index)
            except NotRecordedError:
                continue
            _put(archive, _step_name(step.index), safetensors.torch.save(arrays), compression)


def _put(archive: zipfile.ZipFile, name: str, blob: bytes, compression: int) -> None:
    info = zipfile.ZipInfo(name, EPOCH)
    info.compress_type = compression
    info.create_system = 3
    archive.writestr(info, blob)


def _as_json(trace: RecordedRun) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": LOSSLESS if trace.compact is None else COMPACT,
        **({"compact": asdict(trace.compact)} if trace.compact else {}),
        "n_steps": len(trace.steps),
        "n_rows": trace.n_rows,
        "mode": trace.mode,
        "model": asdict(trace.model),
        "stages": [asdict(stage) for stage in trace.stages],
        "generation_config": trace.generation_config,
        **({} if trace.model_defaults is None else {"model_defaults": trace.model_defaults}),
        "settings": trace.settings.to_json() if trace.settings else None,
        "silent": [asdict(knob) for knob in trace.silent],
        "warnings": trace.warnings,
        "stop_reasons": trace.stop_reasons,
        "prompts": trace.prompts,
        "messages": trace.messages,
        "seed": trace.seed,
        "seconds": trace.seconds,
        "prefill": trace.prefill,
        **({} if trace.forward == "alone" else {"forward": trace.forward}),
        "from_caller": trace.from_caller,
        "fork": asdict(trace.fork) if trace.fork else None,
        **({"first_step": trace.first_step} if trace.first_step else {}),
        "beams": {"n_beams": trace.ledger.n_beams, "reasons": trace.ledger.reasons} if trace.ledger else None,
    }


def _run_arrays(trace: RecordedRun) -> dict[str, Tensor]:
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


def _header(archive: zipfile.ZipFile) -> dict[str, Any]:
    header = json.loads(read_entry(archive, "trace.json", HEADER_LIMIT).decode("utf-8", "surrogatepass"))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise TraceFileError("the file is no trace: trace.json does not say format {format!r}", format=FORMAT)
    version = header.get("version")
    if type(version) is not int or version < 1:
        raise TraceFileError(
            "the trace's version {version} makes no sense; the file is damaged",
            version=shown(version),
        )
    if version > VERSION:
        raise TraceFileError(
            "the trace has format version {version}, this program reads up to {newest}; update Decoding Explorer",
            version=shown(version), newest=VERSION,
        )
    return header


def _run(archive: zipfile.ZipFile, header: dict[str, Any]) -> RecordedRun:
    n_steps, n_rows = _count(header, "n_steps"), _count(header, "n_rows", least=1)
    if n_steps * n_rows > CHOICES_LIMIT:
        raise TraceFileError(
            "{n_steps} steps of {n_rows} rows are more than this program opens",
            n_steps=n_steps, n_rows=n_rows,
        )
    run = arrays_from_bytes(read_entry(archive, "run.safetensors", RUN_LIMIT), "run.safetensors")
    model = ModelInfo(**_fields(header["model"], ModelInfo))
    _count(header["model"], "vocab_size", least=1, most=VOCAB_LIMIT)
    stages = tuple(Stage(**_fields(stage, Stage)) for stage in _list(header["stages"]))
    if not all(_is_plain(value) for stage in stages for value in stage.params.values()):
        raise TraceFileError("a stage's parameters are numbers or lists of numbers; the file is damaged")
    _check_run(run, n_steps, n_rows, model.vocab_size)
    tokens = _under("tokens.", run)
    table = TokenTable.from_arrays(tokens) if tokens else None
    compact = _compact(header, n_rows, model.vocab_size, len(stages))
    fork = Fork(**_fields(header["fork"], Fork)) if header.get("fork") else None
    first = _first_step(header, fork, run["prompt_ids"].shape[1])
    kept = ZipStore(archive, n_steps, n_rows, model.vocab_size, len(stages), compact is not None, first)
    store = kept if compact is None else CompactStore(kept, model.vocab_size, table)
    ledger = _ledger(header.get("beams"), run, n_steps, n_rows)
    return RecordedRun(
        steps=_steps(run, n_steps, stages, store, ledger),
        stages=stages,
        prompt_ids=run["prompt_ids"],
        prompt_mask=run["prompt_mask"],
        sequences=run["sequences"],
        mode=_one_of(header["mode"], MODES),
        generation_config=_config(header["generation_config"], n_rows),
        model_defaults=_parameters(header["model_defaults"]) if header.get("model_defaults") is not None else None,
        model=model,
        settings=Settings.from_json(header["settings"]) if header["settings"] is not None else None,
        silent=tuple(_silent(knob) for knob in _list(header["silent"])),
        warnings=_texts(header["warnings"]),
        stop_reasons=_texts(header["stop_reasons"]),
        tokens=table,
        prompts=None if header["prompts"] is None else _texts(header["prompts"]),
        messages=None if header["messages"] is None else tuple(_chat(chat) for chat in _list(header["messages"])),
        encoder_ids=run.get("encoder_ids"),
        encoder_mask=run.get("encoder_mask"),
        seed=None if header["seed"] is None else _count(header, "seed", most=SEED_LIMIT),
        rng_state=run.get("rng_state"),
        seconds=_seconds(header["seconds"]),
        prefill=_one_of(header.get("prefill", "plain"), PREFILLS),
        forward=_one_of(header.get("forward", "alone"), FORWARDS),
        fork=fork,
        first_step=first,
        from_caller=_texts(header.get("from_caller", [])),
        compact=compact,
        store=store,
        ledger=ledger,
    )


def _first_step(header: dict[str, Any], fork: Fork | None, n_prompt: int) -> int:
    """How many steps came before; files of earlier versions tell it as far as the run that this one leaves."""
    if fork is None:
        return _count({"first_step": 0, **header}, "first_step", most=0)
    known = {"first_step": n_prompt - fork.prompt_length, **header}
    return _count(known, "first_step", least=0 if fork.token_id is None else 1, most=n_prompt)


def _compact(header: dict[str, Any], n_rows: int, vocab: int, n_stages: int) -> Compact | None:
    """What the header says of the compact form; its steps are filled up when they are read, which is bounded here."""
    if header["version"] < COMPACT:
        return None
    if n_rows * (n_stages + 1) * vocab > FILLED_LIMIT:
        raise TraceFileError(
            "{n_rows} rows and {n_stages} stages of {vocab} scores are more than this program opens",
            n_rows=n_rows, n_stages=n_stages, vocab=vocab,
        )
    compact = _dict(header["compact"])
    return Compact(head=_count(compact, "head", least=1))


def _steps(
    run: dict[str, Tensor], n_steps: int, stages: tuple[Stage, ...], store: StepStore, ledger: Ledger | None
) -> tuple[Step, ...]:
    chosen, ended = run["chosen"].tolist(), run["ended"].bool().tolist()
    parents = run["parents"].tolist() if ledger else [()] * n_steps
    return tuple(
        Step(
            index=t, token_ids=tuple(chosen[t]), ended=tuple(ended[t]), parents=tuple(parents[t]), stages=stages,
            _store=store, _ledger=ledger,
        )
        for t in range(n_steps)
    )  # fmt: skip


def _under(prefix: str, arrays: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _ledger(beams: Any, run: dict[str, Tensor], n_steps: int, n_rows: int) -> Ledger | None:
    if beams is None:
        return None
    n_beams, reasons = _count(_dict(beams), "n_beams", least=1), _texts(beams["reasons"])
    if n_rows % n_beams:
        raise TraceFileError("{n_rows} rows cannot be {n_beams} beams each", n_rows=n_rows, n_beams=n_beams)
    if n_steps == 0:
        return Ledger(n_prompts=n_rows // n_beams, n_beams=n_beams)
    ledger = Ledger.from_arrays(_under("ledger.", run), n_beams, reasons)
    if len(ledger) != n_steps or ledger.n_prompts * n_beams != n_rows or run["parents"].shape != run["chosen"].shape:
        raise TraceFileError(
            "the ledger has {n_ledger} steps of {n_prompts} prompts; the header differs",
            n_ledger=len(ledger), n_prompts=ledger.n_prompts,
        )
    parents = run["parents"]
    if parents.dtype != torch.int64 or int(parents.min()) < -1 or int(parents.max()) >= n_rows:
        raise TraceFileError("parents point outside the {n_rows} rows; the file is damaged", n_rows=n_rows)
    return ledger


def _check_run(run: dict[str, Tensor], n_steps: int, n_rows: int, vocab: int) -> None:
    wanted = {"prompt_ids": (n_rows, None), "prompt_mask": (n_rows, None), "sequences": (None, None),
              "chosen": (n_steps, n_rows), "ended": (n_steps, n_rows), "encoder_ids": (None, None),
              "encoder_mask": (None, None), "rng_state": (None,)}  # fmt: skip
    for name, shape in wanted.items():
        if name not in run and name in ("encoder_ids", "encoder_mask", "rng_state"):
            continue
        array, dtype = run[name], torch.uint8 if name in ("ended", "rng_state") else torch.int64
        fits = len(array.shape) == len(shape) and all(w in (None, n) for n, w in zip(array.shape, shape, strict=True))
        if not fits or array.dtype != dtype:
            raise TraceFileError(
                "{name} is {dtype} {shape}; the header says {wanted} of {kind}",
                name=name, dtype=array.dtype, shape=tuple(array.shape), wanted=shape, kind=dtype,
            )
        if name.endswith("_ids") or name in ("sequences", "chosen"):
            _check_ids(name, array)
    for ids, mask in (("prompt_ids", "prompt_mask"), ("encoder_ids", "encoder_mask")):
        if ids in run and (mask not in run or run[ids].shape != run[mask].shape):
            raise TraceFileError("{ids} and {mask} differ in shape", ids=ids, mask=mask)
    live = run["chosen"][run["ended"] == 0]
    if live.numel() and (int(live.min()) < 0 or int(live.max()) >= vocab):
        raise TraceFileError(
            "a token was chosen that is none of the model's {vocab}; the file is damaged",
            vocab=vocab,
        )


def _check_ids(name: str, ids: Tensor) -> None:
    if ids.numel() and (int(ids.min()) < -1 or int(ids.max()) >= 2**31):
        raise TraceFileError("{name} holds what cannot be token ids", name=name)


def _config(values: Any, n_rows: int) -> dict[str, Any]:
    """The parameters that acted, as many rows as they make."""
    config = _parameters(values)
    rows = [config.get(name, 1) for name in ("num_beams", "num_return_sequences")]
    if min(rows) < 1 or n_rows % max(rows):
        raise TraceFileError(
            "{n_rows} rows cannot be {most} for each prompt; the file is damaged",
            n_rows=n_rows, most=max(rows),
        )
    return config


def _parameters(values: Any) -> dict[str, Any]:
    """Those known to be of decoding: verify and forks hand them to `generate()`, which takes others, too."""
    config = {name: value for name, value in _dict(values).items() if name in KNOBS or name in ALSO_KEPT}
    kinds = {"bool": (bool,), "int": (int,), "float": (int, float)}
    for name, value in config.items():
        off = value is None and name not in ("num_beams", "num_return_sequences")
        if name in KNOBS and not off and type(value) not in kinds.get(KNOBS[name].kind, (type(value),)):
            raise TraceFileError("{name} cannot be {value}; the file is damaged", name=name, value=shown(value))
    return config


def _silent(values: Any) -> SilentKnob:
    knob = SilentKnob(**_fields(values, SilentKnob))
    _one_of(knob.name, KNOBS)
    _one_of(knob.why, REASONS)
    return knob


def _chat(messages: Any) -> tuple[dict[str, str], ...]:
    for message in _list(messages):
        for value in _dict(message).values():
            _text(value)
    return tuple(messages)


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < 1e12:
        raise TraceFileError("seconds cannot be {value}; the file is damaged", value=shown(value))
    return float(value)


def _count(header: dict[str, Any], name: str, *, least: int = 0, most: int = N_LIMIT) -> int:
    value = header[name]
    if type(value) is not int or not least <= value <= most:
        raise TraceFileError(
            "{name} must be a whole number in [{least}, {most}], got {value}",
            name=name, least=least, most=most, value=shown(value),
        )
    return value


def _fields(values: Any, kind: type) -> dict[str, Any]:
    """The known fields; what a later minor version added is left out, what is missing raises in `kind`."""
    hints = get_type_hints(kind)
    known = {name: value for name, value in _dict(values).items() if name in hints}
    for name, value in known.items():
        if not _is_a(value, hints[name]):
            raise TraceFileError("{name} cannot be {value}; the file is damaged", name=name, value=shown(value))
    return known


def _is_a(value: Any, hint: Any) -> bool:
    if isinstance(hint, UnionType):
        return any(_is_a(value, option) for option in get_args(hint))
    return hint is Any or type(value) is (get_origin(hint) or hint) and not (hint is int and abs(value) >= 2**63)


def _is_plain(value: Any) -> bool:
    """A number, a truth value, or a list of such."""
    return type(value) in (bool, int, float) or (isinstance(value, list) and all(map(_is_plain, value)))


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TraceFileError(
            "an object was expected in trace.json, got {value_type}",
            value_type=type(value).__name__,
        )
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TraceFileError("a list was expected in trace.json, got {value_type}", value_type=type(value).__name__)
    return value


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(_text(value) for value in _list(values))


def _one_of(value: Any, known: Collection[str]) -> str:
    if _text(value) not in known:
        raise TraceFileError("{value} is not known to this program; the file is damaged", value=shown(value))
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TraceFileError("a text was expected in trace.json, got {value_type}", value_type=type(value).__name__)
    return value
