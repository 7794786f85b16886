"""One file per network. Each is written to be printed in its chapter."""
