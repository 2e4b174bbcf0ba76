"""The doctor: runs a learner's own program, names its silent bugs, and proves each.

the user's program ─→ observe ─→ trace ─→ checks ─→ prove ─→ report
"""
