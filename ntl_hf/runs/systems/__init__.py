"""The systems by which numbers go through a model: their arguments, and how a trainer is built for each."""
