"""Measuring side by side: who takes part, in which turns, and what the times say."""
