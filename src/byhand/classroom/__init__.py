"""The doctor for a whole class: every submission run in a process of its own, judged on the instructor's rows.

submissions ─→ keeper (limits) ─→ examiner (the doctor) ─→ which rows ─→ a grade ─→ a table, a page
"""
