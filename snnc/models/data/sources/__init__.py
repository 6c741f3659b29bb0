"""The kinds of data sources, a file each.

A file that is put here is a kind of source: whoever loads data finds it. It defines what
:class:`snnc.models.data.load.Source` names.
"""
