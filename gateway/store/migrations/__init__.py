"""Migration scripts of the operational store, run by `dipgate.store.schema`."""
