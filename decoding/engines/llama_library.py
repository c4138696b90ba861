"""llama.cpp's compiled library inside the wheel `xllamacpp`, and its functions as C declares them.

The wheel exports llama.cpp's C functions but brings no header. A call with other arguments than the library was built
with does not fail, it computes something else; and the arguments do change (since August 2026 `dry` has no context
size and `penalties` begins with the size of the vocabulary). So each version is compared with its machine code and run
against known results once, and named in `TRIED`; others are refused.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_bool, c_char_p, c_float, c_int32, c_int64, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from decoding.errors import EngineError

__all__ = [
    "PACKAGE",
    "TRIED",
    "ModelParams",
    "TokenDataArray",
    "Version",
    "is_installed",
    "library",
    "library_version",
    "why_not",
]

PACKAGE = "xllamacpp"
TRIED = ("2026.10.11549",)
"""Versions of the wheel whose functions were compared with what stands here."""


class TokenDataArray(ctypes.Structure):
    """`llama_token_data_array`: tokens as (int32 id, float32 logit, float32 p), 12 bytes each.

    A sampler may move `data` on within what it was given, and makes `size` smaller.
    """

    _fields_ = [("data", c_void_p), ("size", c_size_t), ("selected", c_int64), ("sorted", c_bool)]


class ModelParams(ctypes.Structure):
    """`llama_model_params`, of which only `vocab_only` is ever changed here."""

    _fields_ = [
        ("before", ctypes.c_byte * 72),
        ("vocab_only", c_bool),
        ("after", ctypes.c_byte * 7),
    ]


_FLOAT_AND_MIN_KEEP: list[object] = [c_float, c_size_t]
_FUNCTIONS: dict[str, tuple[object, list[object]]] = {  # name: what it returns, what it takes
    "llama_version": (c_char_p, []),
    "llama_sampler_init_dist": (c_void_p, [c_uint32]),
    "llama_sampler_init_top_k": (c_void_p, [c_int32]),
    "llama_sampler_init_top_p": (c_void_p, _FLOAT_AND_MIN_KEEP),
    "llama_sampler_init_min_p": (c_void_p, _FLOAT_AND_MIN_KEEP),
    "llama_sampler_init_typical": (c_void_p, _FLOAT_AND_MIN_KEEP),
    "llama_sampler_init_temp": (c_void_p, [c_float]),
    "llama_sampler_init_temp_ext": (c_void_p, [c_float, c_float, c_float]),
    "llama_sampler_init_xtc": (c_void_p, [c_float, c_float, c_size_t, c_uint32]),
    "llama_sampler_init_top_n_sigma": (c_void_p, [c_float]),
    "llama_sampler_init_mirostat_v2": (c_void_p, [c_uint32, c_float, c_float]),
    "llama_sampler_init_adaptive_p": (c_void_p, [c_float, c_float, c_uint32]),
    "llama_sampler_init_penalties": (c_void_p, [c_int32, c_int32, c_float, c_float, c_float]),
    "llama_sampler_init_dry": (
        c_void_p, [c_void_p, c_float, c_float, c_int32, c_int32, POINTER(c_char_p), c_size_t],
    ),
    "llama_sampler_name": (c_char_p, [c_void_p]),
    "llama_sampler_apply": (None, [c_void_p, POINTER(TokenDataArray)]),
    "llama_sampler_accept": (None, [c_void_p, c_int32]),
    "llama_sampler_reset": (None, [c_void_p]),
    "llama_sampler_free": (None, [c_void_p]),
    "llama_sampler_chain_init": (c_void_p, [c_bool]),  # of llama_sampler_chain_params, whose one field is `no_perf`
    "llama_sampler_chain_add": (None, [c_void_p, c_void_p]),
    "llama_sampler_chain_get": (c_void_p, [c_void_p, c_int32]),
    "llama_model_default_params": (ModelParams, []),
    "llama_model_load_from_file": (c_void_p, [c_char_p, ModelParams]),
    "llama_model_get_vocab": (c_void_p, [c_void_p]),
    "llama_model_free": (None, [c_void_p]),
    "llama_vocab_n_tokens": (c_int32, [c_void_p]),
    "llama_log_set": (None, [c_void_p, c_void_p]),
    "llama_log_get": (None, [POINTER(c_void_p), POINTER(c_void_p)]),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Which llama.cpp it is.

    Attributes:
        package: version of the wheel, e.g. `2026.10.11549`.
        library: what the library calls itself, e.g. `0.6.0-dev`.
    """

    package: str
    library: str

    @property
    def build(self) -> str:
        """llama.cpp's own number of the build, e.g. `b11549`: the wheel's versions end in it."""
        return f"b{self.package.rpartition('.')[2]}"

    def __str__(self) -> str:
        return self.build


@cache
def library() -> ctypes.CDLL:
    """llama.cpp, loaded once, with its functions declared.

    Raises:
        EngineError: the wheel is missing, of a version that was not tried, or without a library that can be loaded.
    """
    installed = _installed()
    if installed not in TRIED:
        raise EngineError(
            "{package} must be of a version that was tried with this program ({tried}), got {version}; "
            "install it with pip install {package}=={last}",
            package=PACKAGE, tried=", ".join(TRIED), version=installed, last=TRIED[-1],
        )  # fmt: skip
    path = _file()
    try:
        loaded = ctypes.CDLL(str(path))
        for name, (returns, takes) in _FUNCTIONS.items():
            function = getattr(loaded, name)
            function.restype, function.argtypes = returns, takes
    except (OSError, AttributeError) as err:
        raise EngineError(
            "{package} {version} brings no usable llama.cpp for this machine: {err}; "
            "llama.cpp's samplers are not run, everything else works",
            package=PACKAGE, version=installed, err=err,
        ) from err  # fmt: skip
    return loaded


@cache
def library_version() -> Version:
    """Which llama.cpp is run.

    Raises:
        EngineError: as `library`.
    """
    return Version(package=_installed(), library=library().llama_version().decode())


def is_installed() -> bool:
    """Whether the wheel is here, in whichever version."""
    try:
        return bool(_installed())
    except EngineError:
        return False


def why_not() -> EngineError | None:
    """Why llama.cpp cannot be run here, or None where it can."""
    try:
        library()
    except EngineError as err:
        return err
    return None


def _installed() -> str:
    try:
        return version(PACKAGE)
    except PackageNotFoundError as err:
        raise EngineError(
            "{package} is not installed, so llama.cpp cannot be run; install it with pip install {package}=={last}",
            package=PACKAGE, last=TRIED[-1],
        ) from err  # fmt: skip


def _file() -> Path:
    """The compiled module. It is found without importing it, which would start the whole of its Python side."""
    spec = find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for ending in ("so", "pyd", "dylib"):
            for path in sorted(Path(folder).glob(f"{PACKAGE}*.{ending}")):
                return path
    raise EngineError(
        "{package} {version} is installed, but its compiled library is missing; "
        "install it again with pip install --force-reinstall {package}=={last}",
        package=PACKAGE, version=_installed(), last=TRIED[-1],
    )  # fmt: skip
