"""Modules of MobileOne (Vasu 2023)."""
