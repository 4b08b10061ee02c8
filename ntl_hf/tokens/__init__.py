"""Which tokens are numbers, what each is worth, and how numbers are written in tokens."""
