"""Modules of PP-LCNet (Cui 2021)."""
