"""The catalogue of planted mistakes, by room."""

from tests.mutants.catalogue import checks, client, engine, gates, machine, routing, state, transfer

MUTANTS = (
    *transfer.MUTANTS,
    *engine.MUTANTS,
    *checks.MUTANTS,
    *machine.MUTANTS,
    *gates.MUTANTS,
    *client.MUTANTS,
    *routing.MUTANTS,
    *state.MUTANTS,
)
