"""Formulas shared by a metric and the loss that approximates it, for NumPy arrays and torch tensors."""
