"""Time and load, computed from the plan and an inventory. Pure: no I/O, no clock."""

from migrator.forecast.capacity import AccountLoad, capacity_findings, loads
from migrator.forecast.timing import (
    Inventory,
    MoveForecast,
    forecast_move,
    forecast_wave,
    timing_findings,
    wave_seconds,
)

__all__ = [
    "AccountLoad",
    "Inventory",
    "MoveForecast",
    "capacity_findings",
    "forecast_move",
    "forecast_wave",
    "loads",
    "timing_findings",
    "wave_seconds",
]
