"""`python -m dvdup` is the `dvdup` command."""

from dvdup.cli.app import main

if __name__ == "__main__":
    main()
