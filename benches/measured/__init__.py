"""One module for each thing that is measured; `measure(options)` prints its figures."""
