"""Data sets for calibration and evaluation: embedded, from folders and files, from torchvision, or the user's own.

Each kind of source has a file of its own, and ``sources.py`` lists them.
"""

from __future__ import annotations

from snnc.models.data.dataset import Dataset, check_dataset, make_dataset
from snnc.models.data.reference import as_dataset
from snnc.models.data.sources import load_data

__all__ = ["Dataset", "as_dataset", "check_dataset", "load_data", "make_dataset"]
