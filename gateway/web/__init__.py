"""The desk in the browser: pages and fragments; work itself is done by the pipeline."""
