"""The catalogue of planted mistakes, by room."""

from tests.mutants.catalogue import checks, client, engine, estate, gates, machine, routing, state, transfer

MUTANTS = (
    *transfer.MUTANTS,
    *engine.MUTANTS,
    *checks.MUTANTS,
    *estate.MUTANTS,
    *machine.MUTANTS,
    *gates.MUTANTS,
    *client.MUTANTS,
    *routing.MUTANTS,
    *state.MUTANTS,
)
