"""From float layers to the chip's integers."""
