"""``python -m unweave`` is the command line."""

from unweave.cli import main

if __name__ == "__main__":  # processes that a study starts import this file under another name
    main()
