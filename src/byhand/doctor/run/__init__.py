"""Where programs run: forked children, scratch copies, limits."""
