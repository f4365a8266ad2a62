"""Modules of Vision transformers (Dosovitskiy 2021) and DeiT (Touvron 2021)."""
