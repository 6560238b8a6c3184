"""``python -m jwtguard`` is the command ``jwtguard``."""

from jwtguard.cli import main

if __name__ == "__main__":
    main()
