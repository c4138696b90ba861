"""Where a model's weights go: to one device, over several, the CPU and the disk, or in slices to several processes."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from decoding.errors import ModelError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedConfig

__all__ = ["DISK", "DeviceMap", "Placement", "TensorParallelPlan", "choose_placement", "layers_by_place", "places_of"]

DeviceMap = str | Mapping[str, "str | int | torch.device"]
TensorParallelPlan = Literal["auto"] | Mapping[str, str]

SPREADS = ("auto", "balanced", "balanced_low_0", "sequential")  # accelerate works the map out
DISK = "disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the weights are to go.

    Attributes:
        device: of the whole model; of one that is spread, where its dtype is chosen for.
        spread: what `from_pretrained` is told about the layers' devices; empty for a model on one device.
        tp_plan: which weights the processes share, or None where each process has a model of its own.
    """

    device: torch.device
    spread: dict[str, Any] = field(default_factory=dict)
    tp_plan: TensorParallelPlan | None = None

    @property
    def is_split(self) -> bool:
        """Whether no single device and process has all of the weights."""
        return bool(self.spread) or self.tp_plan is not None

    def load_options(self, config: PreTrainedConfig) -> dict[str, Any]:
        """What `from_pretrained` is given besides; nothing where the model goes to one device.

        Raises:
            ModelError: the processes cannot share this model.
        """
        if self.tp_plan is None:
            return dict(self.spread)
        _check_shareable(config, self.tp_plan)
        from transformers.distributed import DistributedConfig

        plan = self.tp_plan if isinstance(self.tp_plan, str) else dict(self.tp_plan)
        return {"distributed_config": DistributedConfig(tp_plan=plan)}


def choose_placement(
    device: Any = None,
    device_map: DeviceMap | None = None,
    max_memory: Mapping[Any, Any] | None = None,
    offload_folder: str | Path | None = None,
    tp_plan: TensorParallelPlan | None = None,
) -> Placement:
    """Where the weights go; for the arguments see `load_model`.

    Raises:
        ModelError: more than one way was named, or what one of them needs is not there.
    """
    ways = {"device": device, "device_map": device_map, "tp_plan": tp_plan}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1:
        raise ModelError(
            "only one of device, device_map and tp_plan can be given, got {given}; device is for a model on one "
            "device, device_map for one that is spread over several, tp_plan for one that several processes share",
            given=" and ".join(given),
        )
    if device_map is None and not (max_memory is None and offload_folder is None):
        name = "offload_folder" if max_memory is None else "max_memory"
        raise ModelError('{name} only counts for a model that is spread; give device_map="auto", too', name=name)
    if tp_plan is not None:
        return _shared(tp_plan)
    if device_map is not None:
        return _spread(device_map, max_memory, offload_folder)
    return Placement(device=_device(device))


def places_of(model: Any) -> tuple[str, ...]:
    """Where a model's weights are, the first layer's device first: ("cpu",), or ("cuda:0", "cpu", "disk")."""
    spread = getattr(model, "hf_device_map", None) or {"": model.device}
    places = (str(_named(place)) for place in spread.values())
    return tuple(dict.fromkeys((str(model.device), *places)))


def layers_by_place(model: Any) -> tuple[tuple[str, int], ...]:
    """How many layers of a model that is spread each place holds, the first layer's device first; else nothing.

    Layers are what a list of modules at the outermost level holds: blocks of a decoder, and of an encoder.
    """
    places = places_of(model)
    if len(places) == 1:
        return ()
    held = dict.fromkeys(places, 0)
    spread = {name: str(_named(place)) for name, place in model.hf_device_map.items()}
    for layer in _layers(model):
        part = max((name for name in spread if f"{layer}.".startswith(f"{name}." if name else "")), key=len, default="")
        place = spread.get(part, "")
        held[place] = held.get(place, 0) + 1
    return tuple((place, n) for place, n in held.items() if place)


def _layers(model: Any) -> list[str]:
    """The names of a model's layers; lists within them (experts) are no layers of their own."""
    from torch.nn import ModuleList

    lists = [name for name, module in model.named_modules() if isinstance(module, ModuleList)]
    outermost = [name for name in lists if not any(name.startswith(f"{other}.") for other in lists)]
    return [f"{name}.{i}" for name in outermost for i in range(len(model.get_submodule(name)))]


# --- one device -------------------------------------------------------------------------------------------


def _device(device: Any) -> torch.device:
    import torch

    mps = torch.backends.mps.is_available()
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        place = torch.device(device)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ModelError("device must be one of cpu, cuda, cuda:N, mps, got {device!r}", device=device) from error
    have = {"cpu": 1, "mps": int(mps), "cuda": torch.cuda.device_count()}
    if (place.index or 0) >= have.get(place.type, 0):
        there = ", ".join(kind for kind, count in have.items() if count)
        raise ModelError(
            "device {device!r} is not to be had on this machine; there is {there}",
            device=device, there=there,
        )  # fmt: skip
    return place


# --- spread over several ----------------------------------------------------------------------------------


def _spread(device_map: DeviceMap, max_memory: Any, offload_folder: str | Path | None) -> Placement:
    if importlib.util.find_spec("accelerate") is None:
        raise ModelError(
            "device_map needs the package accelerate, which moves the layers; install it with pip install accelerate"
        )
    options: dict[str, Any] = {"device_map": _checked_map(device_map)}
    if max_memory is not None:
        options["max_memory"] = _checked_sizes(max_memory)
    if offload_folder is not None:
        options["offload_folder"] = str(_checked_folder(offload_folder))
    if isinstance(device_map, str):
        return Placement(device=_device(None), spread=options)
    on_device = [place for place in options["device_map"].values() if place != DISK]
    return Placement(device=_device(on_device[0]), spread=options)


def _checked_map(device_map: Any) -> Any:
    if isinstance(device_map, str) and device_map in SPREADS:
        return device_map
    if not isinstance(device_map, Mapping) or not device_map:
        raise ModelError(
            "device_map must be one of {spreads}, or the devices of the layers by their names, as in "
            '{{"model.embed_tokens": "cuda:0", "model.layers": "cpu", …}}, got {device_map!r}',
            spreads=", ".join(SPREADS), device_map=device_map,
        )  # fmt: skip
    # As text: safetensors, which reads what is on the disk, takes no torch.device.
    checked = {str(name): place if place == DISK else str(_device(_named(place))) for name, place in device_map.items()}
    if set(checked.values()) == {DISK}:
        raise ModelError(
            "device_map has the whole model on the disk; the first layer, at least, must be on a device that computes: "
            'cpu, or cuda:N where there is one'
        )
    return checked


def _named(place: Any) -> Any:
    """A device as torch names it; accelerate writes the number of a CUDA device alone."""
    return f"cuda:{place}" if isinstance(place, int) and not isinstance(place, bool) else place


def _checked_sizes(max_memory: Any) -> dict[Any, Any]:
    from accelerate.utils import convert_file_size_to_int

    if not isinstance(max_memory, Mapping):
        raise ModelError(
            'max_memory must be sizes by device, as in {{0: "20GB", "cpu": "60GB"}}, got {value!r}', value=max_memory
        )
    for device, size in max_memory.items():
        try:
            convert_file_size_to_int(size)
        except (TypeError, ValueError) as error:
            raise ModelError(
                'max_memory must be sizes by device, as in {{0: "20GB", "cpu": "60GB"}}, got {value!r} for {device!r}',
                value=size, device=device,
            ) from error  # fmt: skip
    return dict(max_memory)


def _checked_folder(folder: str | Path) -> Path:
    path = Path(folder).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelError(
            "offload_folder {folder!r} cannot be made: {error}; name a folder that can be written to",
            folder=str(folder), error=error.strerror or error,
        ) from error  # fmt: skip
    return path


# --- shared by several processes --------------------------------------------------------------------------


def _shared(tp_plan: Any) -> Placement:
    import torch

    if tp_plan != "auto" and not (isinstance(tp_plan, Mapping) and tp_plan):
        raise ModelError(
            'tp_plan must be "auto", the model\'s own, or the way to share each layer by its name, got {tp_plan!r}',
            tp_plan=tp_plan,
        )  # fmt: skip
    missing = [name for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE") if name not in os.environ]
    if missing:
        raise ModelError(
            "tp_plan shares the model among processes, and this one was started alone; start several with torchrun "
            "--nproc-per-node 2 your_program.py"
        )
    if int(os.environ["WORLD_SIZE"]) == 1:
        return Placement(device=_device(None))
    cuda = torch.cuda.is_available()
    return Placement(device=_device(f"cuda:{os.environ['LOCAL_RANK']}" if cuda else "cpu"), tp_plan=tp_plan)


def _check_shareable(config: PreTrainedConfig, tp_plan: TensorParallelPlan) -> None:
    """Whole attention heads go to each process, and without a plan nothing would be shared, silently."""
    text, n = config.get_text_config(), int(os.environ["WORLD_SIZE"])
    if tp_plan == "auto" and not getattr(text, "base_model_tp_plan", None):
        raise ModelError(
            "tp_plan: models of the type {kind!r} have no plan of their own for sharing; give one by the layers' "
            "names, or spread the model with device_map",
            kind=config.model_type,
        )  # fmt: skip
    for what in ("num_attention_heads", "num_key_value_heads"):
        heads = getattr(text, what, None)
        if isinstance(heads, int) and heads % n:
            fitting = ", ".join(str(k) for k in range(1, heads + 1) if heads % k == 0)
            raise ModelError(
                "tp_plan: {n} processes cannot share {heads} heads ({what}) evenly; the number of processes must be "
                "among {fitting}, or spread the model with device_map",
                n=n, heads=heads, what=what, fitting=fitting,
            )  # fmt: skip
