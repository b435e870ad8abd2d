"""Implementations of the ports, one room per neighbour."""
