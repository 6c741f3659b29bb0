"""Data sets for calibration and evaluation: embedded, from folders and files, from torchvision, or the user's own.

Each kind of source is a file of ``sources/``.
"""

from __future__ import annotations

from snnc.models.data.dataset import Dataset, check_dataset, make_dataset
from snnc.models.data.load import load_data
from snnc.models.data.sources.reference import as_dataset

__all__ = ["Dataset", "as_dataset", "check_dataset", "load_data", "make_dataset"]
