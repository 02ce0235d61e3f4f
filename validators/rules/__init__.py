"""Function rules, one module per family; every `@rule` in a module here is found by walking."""
