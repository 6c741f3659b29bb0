"""The spiking network beside the ANN: validation, diagnosis, thresholds, first looks."""
