"""Names of the same weights here and in other libraries, one file of tables per family."""
