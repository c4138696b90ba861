"""Where a sweep goes: a folder on any file system that fsspec knows (`out/`, `s3://bucket/out`, `memory://out`).

    plan.json             what is to be recorded
    traces/000012.trace   the runs of a batch
    parts/000012.parquet  their rows, written last and in one go: a batch is done where its part is there
    runs.parquet          all rows, once every batch is done
    report.html           the table as a page
"""

from __future__ import annotations

import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decoding.errors import DecodingError, SettingError
from decoding.files.trace_file import save_run
from decoding.recorded.run import RecordedRun
from decoding.sweeps.plan import Batch, Plan
from decoding.sweeps.rows import STATISTICS, Row

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Folder"]

ROWS_IN_GROUP = 65_536  # of the table; as many are in memory at a time
# File systems that show a file only once all of it is there; a new name would cost a copy.
WHOLE_AT_ONCE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}
INSTALL = "pip install 'decoding-explorer[sweep]'"


class Folder:
    """A sweep's folder.

    Args:
        where: a path or an address, e.g. `out/` or `s3://bucket/out`.

    Raises:
        DecodingError: what writes tables is not installed, or no file system has such an address.
    """

    def __init__(self, where: str | os.PathLike[str]) -> None:
        try:
            import fsspec
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise DecodingError(f"{error.name}, which writes the table, is not installed; {INSTALL}") from error
        try:
            self._files, self._root = fsspec.core.url_to_fs(os.fspath(where))
        except (ValueError, ImportError) as error:
            raise DecodingError(f"the folder {where} cannot be used: {error}; name a folder or e.g. s3://…") from error

    def path(self, *names: str) -> str:
        """The path of something in it, as its file system has it."""
        return "/".join([self._root.rstrip("/"), *names])

    # -- the plan

    def take(self, plan: Plan) -> None:
        """Makes it the folder of this plan.

        Raises:
            SettingError: it holds another plan's runs.
        """
        kept = self.plan()
        if kept is None:
            self._write("plan.json", json.dumps(plan.to_json(), ensure_ascii=False, indent=1).encode())
        elif kept.to_json() != plan.to_json():
            here, asked = kept.to_json(), plan.to_json()
            names = ", ".join(name for name in asked if here.get(name) != asked[name])
            remedy = f"it holds one with other {names}; name another folder, or ask for the same"
            raise SettingError("output", self._root, "a folder without another sweep's runs", remedy)

    def plan(self) -> Plan | None:
        """The plan whose runs it holds; None for none.

        Raises:
            SettingError: what is there is no plan.
        """
        if not self._files.exists(self.path("plan.json")):
            return None
        try:
            return Plan.from_json(json.loads(self._files.cat_file(self.path("plan.json"))))
        except (ValueError, RecursionError) as error:
            raise SettingError("plan", str(error), "a plan as a sweep writes it", "start in another folder") from error

    # -- batches

    def done(self) -> frozenset[int]:
        """The batches whose rows are there."""
        self._files.invalidate_cache()  # others may write into it
        if not self._files.exists(self.path("parts")):
            return frozenset()
        names = (Path(name).name for name in self._files.ls(self.path("parts"), detail=False))
        return frozenset(int(name.partition(".")[0]) for name in names if re.fullmatch(r"\d{6,}\.parquet", name))

    @staticmethod
    def trace_of(batch: Batch) -> str:
        """The name of a batch's trace, in the folder."""
        return f"traces/{batch.index:06}.trace"

    def keep(self, plan: Plan, batch: Batch, rows: Sequence[Row], run: RecordedRun | None) -> None:
        """Writes a batch's runs, and then its rows: broken off in between, it is recorded again.

        Raises:
            DecodingError: it cannot be written there.
        """
        try:
            if run is not None:
                with tempfile.TemporaryDirectory() as folder:
                    save_run(run, path := Path(folder) / "run.trace")
                    self._write(self.trace_of(batch), path.read_bytes())
            self._write(f"parts/{batch.index:06}.parquet", self._as_parquet(table_of(plan, rows)))
        except OSError as error:
            why = error.strerror or error
            raise DecodingError(f"{self._root} cannot be written: {why}; the batches before it are kept") from error

    def holds(self, batch: Batch) -> bool:
        """Whether a batch's rows are there."""
        self._files.invalidate_cache()
        return bool(self._files.exists(self.path("parts", f"{batch.index:06}.parquet")))

    def rows(self) -> pyarrow.Table:
        """The rows of all batches that are done, batch by batch.

        Raises:
            DecodingError: there are none.
        """
        import pyarrow as pa

        return pa.concat_tables(self.tables())

    def tables(self) -> Iterator[pyarrow.Table]:
        """The same, table by table: one a batch.

        Raises:
            DecodingError: there are none.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        done = sorted(self.done())
        if not done:
            raise DecodingError(f"{self._root} holds no rows of a sweep; name the folder that one was written to")
        for index in done:
            yield pq.read_table(pa.BufferReader(self._files.cat_file(self.path("parts", f"{index:06}.parquet"))))

    def finish(self) -> str:
        """Writes all rows into one table, a group of rows at a time, and clears half-written files; its path."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        tables = self.tables()
        first = next(tables)
        with self._new_file("runs.parquet") as file, pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
            group, n_rows = [first], len(first)
            for table in tables:
                if n_rows + len(table) > ROWS_IN_GROUP:
                    writer.write_table(pa.concat_tables(group))
                    group, n_rows = [], 0
                group, n_rows = [*group, table], n_rows + len(table)
            writer.write_table(pa.concat_tables(group))
        for half in self._files.glob(self.path("*", "*.part")):
            self._files.rm_file(half)
        return self.path("runs.parquet")

    def finished(self) -> Iterator[pyarrow.Table]:
        """The table of a sweep that was finished, a group of rows at a time."""
        import pyarrow.parquet as pq

        with self._files.open(self.path("runs.parquet"), "rb") as file:
            table = pq.ParquetFile(file)
            for number in range(table.num_row_groups):
                yield table.read_row_group(number)

    def write_text(self, name: str, text: str) -> str:
        """Writes a text beside the table; its path."""
        self._write(name, text.encode())
        return self.path(name)

    @staticmethod
    def _as_parquet(table: pyarrow.Table) -> bytes:
        import pyarrow as pa
        import pyarrow.parquet as pq

        out = pa.BufferOutputStream()
        pq.write_table(table, out, compression="zstd")
        return out.getvalue().to_pybytes()

    def _write(self, name: str, content: bytes) -> None:
        with self._new_file(name) as file:
            file.write(content)

    @contextmanager
    def _new_file(self, name: str) -> Iterator[Any]:
        """A file to write to, under another name until it is whole: nobody ever sees half of one."""
        path = self.path(name)
        self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        protocols = {self._files.protocol} if isinstance(self._files.protocol, str) else set(self._files.protocol)
        under = path if protocols & WHOLE_AT_ONCE else f"{path}.{secrets.token_hex(6)}.part"
        with self._files.open(under, "wb") as file:
            yield file
        if under != path:
            self._files.mv(under, path)


def table_of(plan: Plan, rows: Sequence[Row]) -> pyarrow.Table:
    """Rows as a table; every batch of a plan has the same columns, of the same kinds."""
    import pyarrow as pa

    values = {name: [_plain(getattr(cell, name)) for cell in plan.cells] for name in plan.axes}
    stage = pa.struct(
        [("stage", pa.string()), ("cuts", pa.bool_()), ("n_left", pa.float64()), ("mass_removed", pa.float64()),
         ("entropy", pa.float64())]
    )  # fmt: skip
    columns = [
        *((name, pa.int64()) for name in ("prompt", "cell", "sample")),
        *((name, pa.array(values[name]).type) for name in plan.axes),
        *((name, pa.int64()) for name in ("batch", "seed")), ("trace", pa.string()), ("row", pa.int64()),
        *((name, pa.string()) for name in ("error", "text", "ended_by")), ("n_tokens", pa.int64()),
        *((name, pa.float64()) for name in ("logprob", "score", *STATISTICS, "self_bleu", "seconds")),
        ("stages", pa.list_(stage)),
    ]  # fmt: skip
    plain = [{name: _plain(row.get(name)) for name, _ in columns} for row in rows]
    return pa.Table.from_pylist(plain, schema=pa.schema(columns))


def _plain(value: Any) -> Any:
    """A value that a column can hold: of whatever is no number, truth or text, its JSON."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, tuple) else value
