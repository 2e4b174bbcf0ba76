"""Write your classifier by hand. Know whether it is right."""

__version__ = "0.1.0"
