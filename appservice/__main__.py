"""`python -m appservice` does what the command `coterie` does."""

from appservice.cli import main

if __name__ == "__main__":
    main()
