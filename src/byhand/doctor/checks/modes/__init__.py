"""Checks of the modes: what holds while it is trained, and what while it is judged."""
