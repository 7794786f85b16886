"""One file per classical method."""
