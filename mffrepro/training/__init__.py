"""Training: one trainer, one recipe file per network."""
