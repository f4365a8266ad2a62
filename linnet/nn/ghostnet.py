"""Modules of GhostNet (Han 2020)."""
