"""The state store on SQLAlchemy Core: SQLite by default. See ``store`` for the promises, ``open`` for where it lies."""

from migrator.adapters.state.moving import back_up, move_store
from migrator.adapters.state.open import has_tables, open_store, stored_plans
from migrator.adapters.state.store import SqlStateStore

__all__ = ["SqlStateStore", "back_up", "has_tables", "move_store", "open_store", "stored_plans"]
