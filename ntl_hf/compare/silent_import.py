"""The first import of the server that processes are forked from: it is silent, and leaves Ctrl-C to the command."""

import logging
import signal

# What the libraries log while they are imported would be between the command's own lines.
logging.disable(logging.WARNING)
signal.signal(signal.SIGINT, signal.SIG_IGN)
