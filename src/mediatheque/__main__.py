"""``python -m mediatheque`` and the ``mediatheque`` command."""

from mediatheque.cli import main

if __name__ == "__main__":
    main()
