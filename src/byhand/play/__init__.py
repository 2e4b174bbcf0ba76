"""``byhand play``: a page on this machine that shows a model as it learns, and the server behind it."""
