"""Hands that send server-side copies: in this process, or in processes of their own (``migrator.ports.executor``)."""

from __future__ import annotations

from migrator.adapters.workers.inline import InlineExecutor
from migrator.adapters.workers.pool import WorkerPool
from migrator.adapters.workers.staff import Staff

__all__ = ["InlineExecutor", "Staff", "WorkerPool"]
