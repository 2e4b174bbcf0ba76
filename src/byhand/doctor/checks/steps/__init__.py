"""Checks of the training loop: the backward pass, the step, the rate, the end."""
