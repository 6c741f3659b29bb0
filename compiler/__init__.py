"""The compiler: a trained PyTorch network goes in, a :class:`~snnc.compiler.program.Program` comes out."""
