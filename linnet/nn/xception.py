"""Modules of Xception (Chollet 2017)."""
