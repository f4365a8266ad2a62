"""Modules of MobileViT (Mehta & Rastegari 2022) and MobileViTv2 (2023)."""
