"""The nouns: frozen dataclasses and pure functions on them. No I/O, no clock, nothing foreign."""
