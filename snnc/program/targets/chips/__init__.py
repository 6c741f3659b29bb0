"""The chips, a file each, which registers its description.

A file that is put here is found: ``--target`` takes its name, and the compiler, files and placement read its limits.
"""
