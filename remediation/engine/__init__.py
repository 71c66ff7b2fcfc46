"""The engine and its process: look, decide, write, act."""
