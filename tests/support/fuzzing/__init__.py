"""Coverage-guided fuzzing of everything that reads files of others; ``make fuzz`` runs it (SECURITY.md)."""
