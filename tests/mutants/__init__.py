"""Planted mistakes: realistic ones, one at a time, and the tests that must turn red for each. ``make mutants`` runs them."""
