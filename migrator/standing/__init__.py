"""How a rollout stands: frozen values read from the state store, for everybody who shows or reports it."""
