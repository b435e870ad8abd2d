"""Mistakes that are planted in the engine and the data plane, by the room of what they break; ``breakages`` lists them."""
