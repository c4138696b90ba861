"""HostCopies: a step's scores on their way to the host while the device goes on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

__all__ = ["HostCopies"]


@cache
def _beside(device: torch.device) -> torch.cuda.Stream:
    """The stream beside the one that computes."""
    return torch.cuda.Stream(device)


class HostCopies:
    """Tensors on the host, once they are asked for.

    What lies on CUDA is copied to pinned memory on a stream of its own: what was computed before is waited for there,
    what comes after waits for nothing. Elsewhere a copy, if one has to be made, is made here and now.

    Args:
        tensors: not written to before `get` has returned.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._events: list[torch.cuda.Event] = []
        self._tensors = [self._begun(tensor.detach()) for tensor in tensors]

    def _begun(self, tensor: Tensor) -> Tensor:
        if tensor.device.type != "cuda":
            return tensor.cpu()
        beside = _beside(tensor.device)
        beside.wait_stream(torch.cuda.current_stream(tensor.device))
        with torch.cuda.stream(beside):
            host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            host.copy_(tensor, non_blocking=True)
        tensor.record_stream(beside)  # its memory is not given to another before it has been read
        self._events.append(beside.record_event())
        return host

    def get(self) -> list[Tensor]:
        """The tensors on the CPU, in their order; waits for those still under way, and for nothing else."""
        for event in self._events:
            event.synchronize()
        return self._tensors
