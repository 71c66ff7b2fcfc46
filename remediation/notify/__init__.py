"""Messages to people, beside the alerts."""
