"""Predicting milliseconds: blocks timed once on this device, stored, and added up for any network."""
