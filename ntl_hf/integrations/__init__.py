"""Bridges to other frameworks: one file each, imported only by who uses it."""
