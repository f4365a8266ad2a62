"""Why, and how good: what a run did, as something a person can look at."""
