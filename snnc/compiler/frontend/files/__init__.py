"""Model files of all kinds, read without running what is in them."""
