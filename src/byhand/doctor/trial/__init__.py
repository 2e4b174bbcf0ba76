"""Experiments on fixes."""
