"""Training: options, the engine, the batches it is fed, augmentation, evaluation, and checkpoints to resume from."""
