"""Tables, figures and verdicts for the book: arrays and pandas in, HTML and pictures out. No science is computed here."""
