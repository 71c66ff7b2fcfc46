"""The log server: its configuration, its alert rules on log lines, the proof that they see lines."""
