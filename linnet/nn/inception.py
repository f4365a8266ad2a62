"""Modules of Inception V1 (Szegedy 2015) and V3 (Szegedy 2016)."""
