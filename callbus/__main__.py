"""`python -m callbus` is `callbus`."""

from callbus.cli import main

if __name__ == "__main__":
    main()
