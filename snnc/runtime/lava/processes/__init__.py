"""Lava processes of our own, and their models.

They have a folder to themselves: Lava looks for a process's models in all files of its folder, each of which it
executes as a module without a package, and warns of every one that does not stand that.
"""
