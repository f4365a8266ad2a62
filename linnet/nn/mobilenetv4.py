"""Modules of MobileNetV4 (Qin 2024)."""
