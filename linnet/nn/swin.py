"""Modules of Swin (Liu 2021) and Swin V2 (Liu 2022)."""
