"""The stages: read what is stored, call a pure function, store result and lineage together."""
