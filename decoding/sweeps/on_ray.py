"""A sweep on a Ray cluster: the same batches, recorded by actors that hold the model, into the same folder.

Ray hands out numbers of batches and takes back numbers of rows; everything else goes through the folder, which all
machines must reach. An actor that dies is started again with its batch: what it had kept stays, the rest is recorded.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from decoding.errors import DecodingError
from decoding.models.load import load_model
from decoding.sweeps.folder import Folder
from decoding.sweeps.plan import Plan
from decoding.sweeps.sweep import Progress, record_batch, still_to_do

__all__ = ["sweep_on_ray"]

INSTALL = "pip install 'decoding-explorer[ray]'"
LOCAL = "local"  # an address that Ray knows: a cluster of this machine alone, for as long as the sweep


def sweep_on_ray(
    plan: Plan,
    output: str | os.PathLike[str],
    address: str = LOCAL,
    *,
    workers: int = 2,
    on_batch: Callable[[Progress], None] = lambda progress: None,
) -> str:
    """`sweep`, by several actors: the same folder, the same rows, the same table; its path.

    Args:
        plan: see there; each actor takes as many processors as it has `threads`, and a GPU where the cluster has any.
        output: a folder that every machine of the cluster reaches, e.g. `s3://bucket/out`.
        address: of the cluster, e.g. `ray://head:10001` or `auto`; `local` for one on this machine.
        workers: actors, each with a model of its own, ≥ 1.
        on_batch: called before the first batch and after each.

    Raises:
        DecodingError: Ray is not installed, the cluster cannot be reached, or the folder cannot be used.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise DecodingError(f"{error.name} is not installed, which a sweep on a cluster needs; {INSTALL}") from error
    folder = Folder(output)
    folder.take(plan)
    todo, progress = still_to_do(plan, folder)
    on_batch(progress)
    if todo:
        _connect(ray, address)
        found = _recorded(ray, plan, os.fspath(output), [batch.index for batch in todo], workers)
        for n_done, row in enumerate(found.iter_rows(), start=progress.n_done + 1):
            on_batch(
                Progress(
                    batch=plan.batches[row["batch"]], n_done=n_done, n_batches=len(plan.batches),
                    n_rows=row["n_rows"], n_failed=row["n_failed"],
                )
            )  # fmt: skip
    return folder.finish()


def _connect(ray: Any, address: str) -> None:
    if ray.is_initialized():
        return
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False, include_dashboard=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise DecodingError(f"the Ray cluster {address!r} cannot be reached: {error}; is it running?") from error


def _recorded(ray: Any, plan: Plan, output: str, batches: list[int], workers: int) -> Any:
    """The batches, each with its number of rows once it is kept."""
    ray.data.DataContext.get_current().enable_progress_bars = False
    n_gpus = min(1, int(ray.cluster_resources().get("GPU", 0)))
    return ray.data.from_items([{"batch": i} for i in batches], override_num_blocks=len(batches)).map_batches(
        _Worker,
        fn_constructor_args=(plan.to_json(), output),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=workers),  # it starts what dies again, with the batch that it had
        num_cpus=plan.threads or 1,
        num_gpus=n_gpus,
    )


class _Worker:
    """An actor: a model, and whatever batches it is given."""

    def __init__(self, plan: dict[str, Any], output: str) -> None:
        self._plan = Plan.from_json(plan)
        self._folder = Folder(output)
        self._lm = load_model(self._plan.model, revision=self._plan.revision, dtype=self._plan.dtype)

    def __call__(self, asked: dict[str, Any]) -> dict[str, list[int]]:
        out: dict[str, list[int]] = {"batch": [], "n_rows": [], "n_failed": []}
        for index in map(int, asked["batch"]):
            batch = self._plan.batches[index]
            there = self._folder.holds(batch)  # where another actor died after it had kept it
            rows = [] if there else record_batch(self._plan, batch, self._lm, self._folder)
            out["batch"].append(index)
            out["n_rows"].append(batch.n_rows)
            out["n_failed"].append(sum(row["error"] is not None for row in rows))
        return out
