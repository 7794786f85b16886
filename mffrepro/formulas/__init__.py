"""Formulas shared by metrics and losses, for NumPy arrays and torch tensors."""
