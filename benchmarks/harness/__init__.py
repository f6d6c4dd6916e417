"""What all benchmarks share: measuring, data sets, reports."""
