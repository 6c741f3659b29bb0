"""The compiler's passes, one in each file, and the manager that runs them."""
