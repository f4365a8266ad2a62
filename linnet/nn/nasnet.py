"""Modules of NASNet-A mobile (Zoph 2018)."""
