"""Eight bits: calibration, the gate of accuracy, and the layers that stay in float."""
