"""Staged regional migration of Azure Storage data: copy, cut over, soak, roll back."""

__version__ = "0.1.0"
