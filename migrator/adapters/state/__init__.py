"""The state store on SQLAlchemy Core: SQLite by default. See ``store`` for the promises, ``open`` for where it lies."""

from migrator.adapters.state.open import has_tables, open_store, stored_plans
from migrator.adapters.state.store import SqlStateStore

__all__ = ["SqlStateStore", "has_tables", "open_store", "stored_plans"]
