"""Modules of EfficientViT of MIT (Cai 2023)."""
