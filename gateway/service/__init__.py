"""Wiring: the system clock, and opening a state folder for work."""
