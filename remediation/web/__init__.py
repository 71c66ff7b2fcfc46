"""What is served: webhook, operator API, status page, metrics."""
