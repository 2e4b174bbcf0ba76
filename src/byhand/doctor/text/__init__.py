"""The user's program as text: read, searched, edited, compared."""
