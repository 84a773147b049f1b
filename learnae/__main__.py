"""``python -m learnae`` is ``learnae``."""

from learnae.cli.program import main

if __name__ == "__main__":
    main()
