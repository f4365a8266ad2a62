"""What a network costs, counted from its table or measured on one device."""
