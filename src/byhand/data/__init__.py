"""Where images come from, and how they are split. NumPy only: no module here but ``loader`` imports torch."""
