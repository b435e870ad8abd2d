"""Judgement: figures -> verdict (``judge``), verdicts -> soak clock (``soak``). Pure: no I/O, no clock."""
