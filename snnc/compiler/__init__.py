"""The compiler: a trained PyTorch network goes in, a :class:`~snnc.program.Program` comes out."""
