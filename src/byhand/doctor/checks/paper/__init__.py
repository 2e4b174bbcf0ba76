"""Checks of gradients that were derived on paper."""
