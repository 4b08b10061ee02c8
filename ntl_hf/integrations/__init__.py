"""Where the package meets other frameworks: one file each, imported only by who uses it."""
