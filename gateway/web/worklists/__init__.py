"""What the lists of work show: tabs, filters as an address writes them, cells in words."""
