"""Modules of ShuffleNet V1 (Zhang 2018) and V2 (Ma 2018)."""
