"""Which arithmetic numbers were made with: the same model gives other last bits on another processor."""

from __future__ import annotations

import hashlib
import platform
from functools import lru_cache

import torch

__all__ = ["arithmetic_of"]

WIDTH, VOCAB = 576, 8192  # of the sample; wide enough for every kernel that picks itself by size


def arithmetic_of(device: str | torch.device) -> str:
    """The kind of processor and the bits that it gives a fixed calculation, e.g. `x86_64 AVX512, 2 threads, 5f2c9a`.

    Two machines with the same text very likely give the same bits; with different ones they need not. It tells
    nothing else about the machine.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return f"{device.type} {platform.machine()}"
    threads = torch.get_num_threads()
    kernels = torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} {kernels}, {threads} thread{'s' * (threads != 1)}, {_digest(threads)}"


@lru_cache
@torch.no_grad()
def _digest(threads: int) -> str:
    """Six hex digits of the bits of a forward step's operations; `threads` because they split the sums."""
    x = _sample(9, WIDTH)
    parts = [
        x @ _sample(WIDTH, 3 * WIDTH),
        x[:1] @ _sample(WIDTH, VOCAB),
        torch.nn.functional.silu(x),
        torch.nn.functional.rms_norm(x, (WIDTH,)),
        torch.softmax(x @ _sample(WIDTH, VOCAB), -1),
        torch.nn.functional.scaled_dot_product_attention(*x.view(3, 9, 1, WIDTH // 3).float()),
    ]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.contiguous().numpy().tobytes())
    return digest.hexdigest()[:6]


def _sample(n: int, m: int) -> torch.Tensor:
    """The same float32 values everywhere: thousandths, spread without a pattern that sums could use."""
    return ((torch.arange(n * m, dtype=torch.int64) * 7919 % 2003 - 1001).to(torch.float32) / 1000).view(n, m)
