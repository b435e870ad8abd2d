"""Where gates' figures come from: one module per kind of source."""
