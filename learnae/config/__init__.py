"""A peer's own settings: what they are, where they come from, and how they are written down."""
