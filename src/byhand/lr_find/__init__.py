"""The learning rate: a guess from the data's curvature, decided by short trials; beside it the range test's picture.

``curvature``: what the data say of one linear layer's rate. ``untouched``: trying something out and leaving no trace.
``rehearsal``: short runs on a part of the training rows. ``trials``: the search, from the guess to the rate.
``range_test``: a hundred steps at a growing rate, and what four rules read off them. ``found``: the result and its
picture. ``finder``: what ``Learner`` calls.
"""
