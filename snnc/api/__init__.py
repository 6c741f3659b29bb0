"""What ``import snnc`` offers, a file for each subject."""
