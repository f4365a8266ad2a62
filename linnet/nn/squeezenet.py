"""Modules of SqueezeNet (Iandola 2016)."""
