"""The training scripts behind the commands; each reads from top to bottom."""
