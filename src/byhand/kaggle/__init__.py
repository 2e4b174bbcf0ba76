"""Kaggle's Digit Recognizer: from its two tables to a submission that is checked, and the score to expect."""
