"""The command lines: remediate, maintenance, guard."""
