"""What the words of a table mean: torch modules, built from an Arch."""
