"""What a metric and the loss that approximates it have in common, written once, for NumPy arrays and torch tensors alike."""
