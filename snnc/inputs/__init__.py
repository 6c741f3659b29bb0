"""Whatever a user hands in: models, data, names of networks."""
