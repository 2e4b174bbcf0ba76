"""What several checks read: tapes, the text around a place, the course of a training."""
