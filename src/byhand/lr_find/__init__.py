"""The learning rate: a guess from the data's curvature, decided by short trials, with the range test's picture beside it.

    curvature    what one linear layer's loss says of its rate
    untouched    trying something out and leaving no trace
    rehearsal    short runs on these rows
    trials       the search, from the guess to the rate
    range_test   a hundred steps at a growing rate, and what four rules read off them
    found        the result and its picture
    finder       what ``Learner`` calls
"""
