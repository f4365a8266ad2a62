"""What a network is, in the words of its paper's table. Standard library only."""
