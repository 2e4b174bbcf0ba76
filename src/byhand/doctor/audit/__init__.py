"""What the program's evaluations truly gave."""
