"""Workers that send server-side copies: in this process, or in processes of their own (``migrator.ports.executor``)."""

from __future__ import annotations

from migrator.adapters.workers.inline import InlineExecutor
from migrator.adapters.workers.pool import WorkerPool
from migrator.adapters.workers.processes import WorkerProcesses

__all__ = ["InlineExecutor", "WorkerPool", "WorkerProcesses"]
