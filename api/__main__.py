"""`python -m gradaccord` is the same command as `gradaccord`."""

from gradaccord.harness.cli import main

if __name__ == "__main__":
    main()
