"""How fast and how big: measured in fresh processes, told as a table or as JSON. Not shipped."""
