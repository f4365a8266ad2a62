"""How it learns: a run is a function of (recipe, data, seed)."""
