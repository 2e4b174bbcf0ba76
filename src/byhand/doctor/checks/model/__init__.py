"""Checks of the model: how it starts, and what its units do."""
