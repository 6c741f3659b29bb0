"""Runs the network of a bundle and compares it with what is expected, without the compiler that packed it.

These files are copied into each bundle, there named ``snnc_lab``: they import one another and, besides, the standard
library, numpy, scipy and Lava alone. They run on Python 3.8, the oldest that people have Lava for.
"""
