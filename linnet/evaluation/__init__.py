"""How good a model is: exact metrics with their uncertainty."""
