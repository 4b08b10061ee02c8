"""The Regression Transformer (Born and Manica 2023): a token for each digit and its place."""
