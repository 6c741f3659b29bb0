"""The page on a conversion: one HTML file that needs nothing else."""
