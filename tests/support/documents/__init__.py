"""What README and docs/ say, run: their fenced blocks, in order, in a folder with stand-ins for the reader's files."""
