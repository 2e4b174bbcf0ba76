"""What is told: the report in the terminal and as a page, and the pages of the checks."""
