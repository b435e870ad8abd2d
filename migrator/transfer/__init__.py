"""The data plane: listing, joining, copying, comparing - against ports only."""
