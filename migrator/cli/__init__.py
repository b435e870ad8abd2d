"""The front desk: arguments in, operation, view out. Everything may be imported here, nothing imports from here."""
