"""How good a trained model is: intervals, chance, baselines, the linear ceiling, and where the missing points went."""
