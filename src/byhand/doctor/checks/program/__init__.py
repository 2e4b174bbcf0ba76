"""Checks of the program around the training."""
