"""Modules of RepViT (Wang 2024)."""
