"""Alert packs: one module per concern, each alert with its own proof."""
