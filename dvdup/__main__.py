"""`python -m dvdup` is the `dvdup` command."""

from dvdup.cli.entry import main

if __name__ == "__main__":
    main()
