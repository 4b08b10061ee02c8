"""The error that a command turns into one line and exit code 2."""


class UsageError(Exception):
    """Wrong usage of the command line: an unknown key, a bad value, a folder that must not be overwritten."""
