"""The doors: what the house asks of the outside, each with the promise it makes. Protocols only."""
