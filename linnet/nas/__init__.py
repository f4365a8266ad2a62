"""From a budget (milliseconds, megabytes) to a network: candidates, short trainings, the choice, the proof."""
