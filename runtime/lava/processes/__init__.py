"""Lava processes of our own: none that computes, only what watches the stock ones."""
