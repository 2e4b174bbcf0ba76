"""Checks of rows and labels: their order, their scale, and which part they belong to."""
