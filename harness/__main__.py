"""`python -m gradaccord.harness` is the same command as `gradaccord`."""

from .cli import main

if __name__ == "__main__":
    main()
