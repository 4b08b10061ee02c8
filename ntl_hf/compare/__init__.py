"""Comparing variants of a training run: every variant on every seed, then one report with paired tests and plots."""
