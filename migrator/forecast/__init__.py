"""Time, load and cost, computed from the plan, an inventory and the recorded state. Pure: no I/O, no clock."""

from migrator.forecast.capacity import AccountLoad, Relief, capacity_findings, loads, reliefs
from migrator.forecast.inventory import Inventory
from migrator.forecast.outlook import Outlook, look_ahead
from migrator.forecast.timeline import StartingPoint, WaveTimes, timeline
from migrator.forecast.timing import MoveForecast, forecast_move, forecast_wave, timing_findings

__all__ = [
    "AccountLoad",
    "Inventory",
    "MoveForecast",
    "Outlook",
    "Relief",
    "StartingPoint",
    "WaveTimes",
    "capacity_findings",
    "forecast_move",
    "forecast_wave",
    "loads",
    "look_ahead",
    "reliefs",
    "timeline",
    "timing_findings",
]
