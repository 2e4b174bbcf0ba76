"""The scikit-learn face: byhand's linear classifier and its MLP as estimators, for pipelines, searches and scores.

``inputs``: what comes in, checked. ``training``: byhand's own loop on such rows. ``classifier``: what both estimators
answer. ``linear`` and ``mlp``: the two. This package imports scikit-learn; ``import byhand`` does not import it.
"""

from byhand.estimators.linear import LinearClassifier
from byhand.estimators.mlp import MLPClassifier

__all__ = ["LinearClassifier", "MLPClassifier"]
