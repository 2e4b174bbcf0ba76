"""Checks of the numbers that a program shows of itself."""
