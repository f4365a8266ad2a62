"""Modules of ConvNeXt (Liu 2022)."""
