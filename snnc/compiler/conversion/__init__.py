"""From activations to thresholds, initial potentials and corrected layers."""
