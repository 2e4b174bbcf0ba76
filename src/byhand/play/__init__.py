"""A page on this machine that makes a classifier visible: draw a digit, see the weights, watch a training run live."""
