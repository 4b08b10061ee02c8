"""The settings of the number loss, the facts of each loss, argument classes, and the reader of recipes."""
