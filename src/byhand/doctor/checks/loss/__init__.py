"""Checks of what stands between the scores and the loss."""
