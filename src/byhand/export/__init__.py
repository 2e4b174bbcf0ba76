"""A run in one file, for people who have neither byhand nor Python."""
