"""Modules of DenseNet (Huang 2017)."""
