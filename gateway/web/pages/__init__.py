"""Pages of the desk, found by walking this package."""
