"""Names for the arrays of numpy that much of snnc takes and gives."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Real numbers of the ANN and of its conversion.
FloatArray = NDArray[np.float64]
# The chip's integers, and counts.
IntegerArray = NDArray[np.int64]
