"""A model's weights: read from safetensors, complete, and where they are to be."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from decoding.errors import ModelError
from decoding.models.placement import Placement

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig, PreTrainedModel

__all__ = ["first_line", "read_weights", "weight_bytes"]


def read_weights(
    name: str,
    folder: Path,
    auto_class: Any,
    config: PreTrainedConfig,
    placement: Placement,
    dtype: torch.dtype | Literal["auto"],
) -> PreTrainedModel:
    """The model with its weights, in eval mode.

    Args:
        name: what it was asked for by, for messages.
        folder: with its safetensors.
        auto_class: the Auto class of transformers that makes it.
        dtype: of the weights; "auto" as they are stored.

    Raises:
        ModelError: the weights are damaged, not all there, or do not fit where they are to go.
    """
    import torch

    place, options = placement.device, placement.load_options(config)
    try:
        if not options and place.type == "cuda" and _exceeds(place, weight_bytes(folder, dtype)):
            options["device_map"] = "auto"
        model, info = auto_class.from_pretrained(
            folder, config=config, dtype=dtype, output_loading_info=True, trust_remote_code=False,
            local_files_only=True, use_safetensors=True, **options,
        )  # fmt: skip
        model = model if options else model.to(place)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise ModelError(
            "the model {name!r} does not fit the memory of {place}: {error}; choose a smaller model, dtype bfloat16, "
            "or device cpu",
            name=name, place=place, error=first_line(error),
        ) from error  # fmt: skip
    except Exception as error:
        raise _why_not(name, error, options) from error
    _check_complete(name, set(info["missing_keys"]) & {key for key, _ in model.named_parameters()})
    if isinstance(given := options.get("device_map"), dict):
        _check_placed(name, given, model)
    if model.device.type == "meta":
        raise ModelError(
            "device_map has the first layer of the model {name!r} on the disk, and prompts go where that is; leave it "
            "on a device, or give max_memory more room for one",
            name=name,
        )  # fmt: skip
    return model.eval()


def _why_not(name: str, error: Exception, options: dict[str, Any]) -> ModelError:
    """What to say of an error of transformers' or accelerate's."""
    said = first_line(error)
    if "offload_folder" in str(error):
        return ModelError(
            "the model {name!r} goes to the disk in part, and its weights have to be written there anew; name a folder "
            "for them in offload_folder",
            name=name,
        )  # fmt: skip
    if "device_map" in options and isinstance(error, (KeyError, ValueError)):
        return ModelError(
            'device_map {device_map} cannot be used for the model {name!r}: {error}; name its layers as they are, or '
            'give "auto"',
            device_map=_short(options["device_map"]), name=name, error=said,
        )  # fmt: skip
    if "distributed_config" in options:
        return ModelError(
            "the model {name!r} cannot be shared by processes: {error}; load it without tp_plan, or spread it with "
            "device_map",
            name=name, error=said,
        )  # fmt: skip
    return ModelError(
        "the weights of the model {name!r} cannot be loaded: {error}; if the files are damaged or cut short, "
        "delete them and fetch them again",
        name=name, error=said,
    )  # fmt: skip


def _short(device_map: Any) -> str:
    text = repr(device_map)
    return text if len(text) <= 100 else text[:99] + "…"


def _check_complete(name: str, missing: set[str]) -> None:
    """transformers fills missing weights with random numbers, which no one wants to look at."""
    if missing:
        some = ", ".join(sorted(missing)[:3]) + (", ..." if len(missing) > 3 else "")
        raise ModelError(
            "the model {name!r} does not generate text: its files lack {some}; choose one that was saved with its "
            "language-model head",
            name=name, some=some,
        )  # fmt: skip


def _check_placed(name: str, device_map: dict[str, Any], model: PreTrainedModel) -> None:
    """What a map leaves out would be on the CPU, and fail where it meets what is elsewhere."""
    left = [key for key, _ in model.named_parameters() if not any(_is_in(key, part) for part in device_map)]
    if left:
        raise ModelError(
            "device_map {device_map} has no place for {n} weights of the model {name!r}: {some}; every layer needs "
            'one, by its name or that of what it is part of ("" is the whole model), or give "auto"',
            device_map=_short(device_map), n=len(left), name=name, some=", ".join(left[:3]),
        )  # fmt: skip


def _is_in(key: str, part: str) -> bool:
    return part in ("", key) or key.startswith(f"{part}.")


def _exceeds(place: torch.device, n_bytes: int) -> bool:
    """Whether the weights leave no room on the device for what decoding needs besides them."""
    import torch

    free, _ = torch.cuda.mem_get_info(place)
    return n_bytes > 0.9 * free


def weight_bytes(folder: Path, dtype: Any) -> int:
    """How many bytes the weights take in `dtype` (None or "auto": as they are stored)."""
    import torch
    from safetensors import safe_open

    total = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            n_values = sum(_product(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
        stored = path.stat().st_size
        total += n_values * dtype.itemsize if isinstance(dtype, torch.dtype) else stored
    return total


def _product(shape: list[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total


def first_line(error: BaseException) -> str:
    """The first line of an error's text, without the point at its end; or its type, where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".:") if lines else type(error).__name__
