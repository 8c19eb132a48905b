"""`python -m unweave.cli`."""

from unweave.cli import main

main()
