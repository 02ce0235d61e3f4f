"""One module per revision, named by its number; never edited after release."""
