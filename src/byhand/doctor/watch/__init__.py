"""The observer, inside the process of the user's program."""
