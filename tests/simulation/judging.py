"""What is wrong with a story that was told, as a test says it."""

from migrator.testing.simulation.history import Report


def broken(report: Report) -> list[str]:
    """At most two sentences: the first promise that is broken, and that it has no end."""
    found = [f"seed {report.seed}: {one}" for one in report.violations[:1]]
    return found + [f"seed {report.seed}: without an end"] * report.is_unfinished
