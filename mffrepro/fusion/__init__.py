"""Decision maps and how images are combined by them."""
