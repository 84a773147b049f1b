"""The node that ``EmbeddedNode`` starts: ``python -m learnae_iota.serving FOLDER SETTINGS``."""

import sys

from learnae_iota.serving.daemon import main

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
