"""What the operator asks: ``learnae sensor``, ``learnae tangle`` and ``learnae check``."""
