"""The command line `ntl-hf`: one file a command, which parses and prints."""
