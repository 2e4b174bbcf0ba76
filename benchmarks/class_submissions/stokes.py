import numpy as np

kept = []
while True:
    kept.append(np.ones(50_000_000))
