"""A whole estate on this machine: the double of the control plane, the strict service behind it, Azurite behind that, https."""
