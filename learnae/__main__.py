"""``python -m learnae`` is ``learnae``."""

from learnae.cli import main

if __name__ == "__main__":
    main()
